"""Dead letters: what no try can help, kept with its error until a person looks.

A dead letter stands in stream DEADLETTERS on `dlq.<original subject>`; its body says everything needed to understand
and replay it. Bodies of webhooks are not kept (personal data): a rejected element leaves its hash, size and place.
"""

from datetime import datetime

import msgspec

from bitbylaw.common.bus.publisher import Outgoing
from bitbylaw.common.bus.topology import DEAD_LETTER_PREFIX
from bitbylaw.common.errors import BitByLawError
from bitbylaw.common.events import Header

MAX_REASON = 2000


class DeadLetter(msgspec.Struct, frozen=True, omit_defaults=True):
    """One dead letter.

    `subject` and `payload` are the original event's (payload "" where it was not kept), `error` the kind of error in
    the word of the error tree, `reason` its text, `attempts` the failures in all, `service` who gave up.
    """

    subject: str
    error: str
    reason: str
    service: str
    time: datetime
    payload: str = ""
    attempts: int = 0
    trace: str = ""
    detail: dict[str, str | int] = {}


def dead_letter(
    subject: str,
    error: BaseException,
    *,
    service: str,
    now: datetime,
    payload: bytes = b"",
    attempts: int = 0,
    trace: str = "",
    detail: dict[str, str | int] | None = None,
) -> DeadLetter:
    """The dead letter that `error` makes of the event on `subject`."""
    return DeadLetter(
        subject=subject,
        error=error.kind if isinstance(error, BitByLawError) else type(error).__name__,
        # A text that is no Unicode (a file name, say) must not keep the dead letter from being stored.
        reason=str(error)[:MAX_REASON].encode(errors="replace").decode(),
        service=service,
        time=now,
        payload=payload[:MAX_REASON].decode(errors="replace"),
        attempts=attempts,
        trace=trace,
        detail=detail or {},
    )


def dead_letter_message(letter: DeadLetter, *, msg_id: str | None = None) -> Outgoing:
    """`letter` as a message; `msg_id` makes storing it twice within two minutes store it once."""
    headers = {Header.TRACEPARENT.value: letter.trace} if letter.trace else {}
    if msg_id:
        headers[Header.MSG_ID.value] = msg_id
    return Outgoing(f"{DEAD_LETTER_PREFIX}{letter.subject}", msgspec.json.encode(letter), headers)
