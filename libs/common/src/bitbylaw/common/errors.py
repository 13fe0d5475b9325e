"""Every error of ours, in one tree. What an error is decides what happens to the event that met it.

BitByLawError                   anything we raise on purpose
 ├─ ConfigurationError          the environment or the TOML file is wrong; the process exits with 2
 ├─ BusUnavailable              JetStream did not acknowledge; nothing may be taken for stored
 ├─ RevisionConflict            a key of a bucket is not at the revision its writer expected
 ├─ LeaseLost                   another holder may be at work; stop before the next write, run again later
 ├─ TransientError              may pass by itself: retried with backoff, counted as an attempt
 │   ├─ RateLimited             retried at the time the upstream names, not counted
 │   ├─ NotYet                  the upstream needs more time; looked at again, no failure
 │   ├─ UnknownEntity           the entity exists on no side, or not yet: tried a few times
 │   └─ StaleWrite              a precondition failed: somebody wrote meanwhile; read and decide again
 ├─ UpstreamDown                a whole system is away: consumers pause, attempts do not count
 │   └─ CredentialsRefused      it does not take our key: the same, until somebody mends the configuration
 └─ PermanentError              will never work as it is: dead letter at once
     ├─ EventInvalid            an event or webhook element that says nothing usable
     ├─ NotFound                the upstream has no such thing (404)
     └─ Refused                 the upstream understood and said no (other 4xx)
"""

from enum import StrEnum


class Executed(StrEnum):
    """Whether a failed call took effect in the upstream system."""

    NO = "no"
    YES = "yes"
    UNKNOWN = "unknown"


class BitByLawError(Exception):
    """Root of the tree. `kind` is the stable word for logs, metrics and dead letters."""

    @property
    def kind(self) -> str:
        """The class's name, as it stands in logs and dead letters."""
        return type(self).__name__


class ConfigurationError(BitByLawError):
    """The configuration is unusable. `faults` has one line for each thing that is wrong."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class BusUnavailable(BitByLawError):
    """JetStream refused or did not answer in time: the message must be taken as not stored."""


class RevisionConflict(BitByLawError):
    """The key is not at the revision the writer expected: somebody else wrote, or it is gone."""


class LeaseLost(BitByLawError):
    """The lease of the entity ran out or went to another holder; nothing may be written under it any more."""


class TransientError(BitByLawError):
    """A fault that may pass by itself.

    `delay` is the pause in seconds before the next try, None leaves it to the backoff.
    `executed` says whether a failed write may have taken effect.
    `max_attempts` overrides the service's bound, None keeps it.
    """

    def __init__(
        self,
        message: str,
        *,
        delay: float | None = None,
        executed: Executed = Executed.UNKNOWN,
        max_attempts: int | None = None,
    ) -> None:
        super().__init__(message)
        self.delay = delay
        self.executed = executed
        self.max_attempts = max_attempts


class RateLimited(TransientError):
    """The upstream asks for patience, which costs no attempt; `delay` is what it named, in seconds."""


class NotYet(TransientError):
    """Nothing is wrong: the upstream is still at work. Looked at again after `delay` seconds, never counted."""


class StaleWrite(TransientError):
    """A write's precondition failed because somebody else wrote in between."""


class UnknownEntity(TransientError):
    """No side knows the entity an event names. Tried a few times: an event may overtake what it tells of."""

    def __init__(self, message: str) -> None:
        super().__init__(message, delay=2.0, executed=Executed.NO, max_attempts=3)


class UpstreamDown(BitByLawError):
    """A whole upstream system is away. `delay` is the pause in seconds until its breaker lets a probe through."""

    def __init__(self, system: str, message: str, *, delay: float) -> None:
        super().__init__(f"{system}: {message}")
        self.system = system
        self.delay = delay


class CredentialsRefused(UpstreamDown):
    """The upstream does not take our key. No event is to blame: everything waits until the key is right again."""

    #: Seconds between two tries. EspoCRM shuts an address out after ten refused logins a minute.
    PAUSE = 60.0

    def __init__(self, system: str, message: str) -> None:
        super().__init__(system, message, delay=self.PAUSE)


class PermanentError(BitByLawError):
    """Trying again the same way cannot help; a person has to look."""


class EventInvalid(PermanentError):
    """An event that names no usable entity or action."""


class NotFound(PermanentError):
    """The upstream answered 404."""


class Refused(PermanentError):
    """The upstream understood the request and refused it. `status` is its HTTP status."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
