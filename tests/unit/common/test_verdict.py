"""What becomes of a failed event: every class of the error tree, any number of failures, any jitter."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitbylaw.common import errors
from bitbylaw.common.actors.verdict import DEFAULT_LOOK, Dead, Keep, Later, RetryPolicy, judge

ATTEMPTS = st.integers(0, 998)
JITTER = st.floats(0, 1, exclude_max=True)
POLICIES = st.builds(RetryPolicy, max_attempts=st.integers(1, 20), base=st.floats(0.01, 10), cap=st.floats(10, 3600))
DELAYS = st.none() | st.floats(0, 1e6)

PERMANENT: list[BaseException] = [
    errors.PermanentError("x"),
    errors.EventInvalid("x"),
    errors.NotFound("x"),
    errors.Refused("x", status=422),
]
FOREIGN: list[BaseException] = [
    ValueError("x"),
    KeyError("x"),
    TimeoutError(),
    RuntimeError("x"),
    ExceptionGroup("x", [OSError()]),
]
COUNTED: list[Callable[..., errors.TransientError]] = [errors.TransientError, errors.StaleWrite]


def _all_classes() -> set[type[errors.BitByLawError]]:
    found, left = set(), [errors.BitByLawError]
    while left:
        one = left.pop()
        found.add(one)
        left.extend(one.__subclasses__())
    return {one for one in found if one.__module__ == errors.__name__}


@pytest.mark.parametrize("error", [errors.LeaseLost("x"), errors.BusUnavailable("x")])
@given(attempt=ATTEMPTS, policy=POLICIES, jitter=JITTER)
def test_lost_lease_and_absent_bus_keep_the_event(
    error: errors.BitByLawError, attempt: int, policy: RetryPolicy, jitter: float
) -> None:
    """Neither says anything about the event: it stays in its mailbox, uncounted, however often it failed before."""
    assert judge(error, attempt, policy, lambda: jitter) == Keep()


@given(attempt=ATTEMPTS, policy=POLICIES, delay=DELAYS, bound=st.none() | st.integers(1, 3))
def test_not_yet_never_counts(attempt: int, policy: RetryPolicy, delay: float | None, bound: int | None) -> None:
    """Waiting for an upstream at work is no failure, whatever bound it carries, and can go on for ever."""
    verdict = judge(errors.NotYet("x", delay=delay, max_attempts=bound), attempt, policy, lambda: 0.5)
    assert verdict == Later(DEFAULT_LOOK if delay is None else delay, attempt)


@given(attempt=ATTEMPTS, policy=POLICIES, delay=st.floats(0, 1e6), jitter=JITTER)
def test_upstream_down_never_counts(attempt: int, policy: RetryPolicy, delay: float, jitter: float) -> None:
    """An absent system costs no attempt; events come back after its probe, spread over one base."""
    verdict = judge(errors.UpstreamDown("espocrm", "x", delay=delay), attempt, policy, lambda: jitter)
    assert isinstance(verdict, Later)
    assert verdict.attempt == attempt
    assert delay <= verdict.delay <= delay + policy.base


@given(attempt=ATTEMPTS, policy=POLICIES, delay=DELAYS, jitter=JITTER)
def test_rate_limits_cost_no_attempt(attempt: int, policy: RetryPolicy, delay: float | None, jitter: float) -> None:
    """An upstream that asks for patience is waited for at the time it names, else for some seconds, uncounted."""
    verdict = judge(errors.RateLimited("x", delay=delay), attempt, policy, lambda: jitter)
    assert isinstance(verdict, Later)
    assert verdict.attempt == attempt
    assert verdict.delay == delay if delay is not None else 5 <= verdict.delay <= 15


@given(attempt=ATTEMPTS, policy=POLICIES, jitter=JITTER)
def test_refused_credentials_blame_no_event(attempt: int, policy: RetryPolicy, jitter: float) -> None:
    """A wrong key costs no attempt and makes no dead letter: events wait a minute and come again."""
    verdict = judge(errors.CredentialsRefused("espocrm", "x"), attempt, policy, lambda: jitter)
    assert isinstance(verdict, Later)
    assert verdict.attempt == attempt
    assert 60 <= verdict.delay <= 60 + policy.base


@pytest.mark.parametrize("error", PERMANENT, ids=lambda error: type(error).__name__)
@given(attempt=ATTEMPTS, policy=POLICIES)
def test_permanent_errors_end_at_once(error: BaseException, attempt: int, policy: RetryPolicy) -> None:
    """No second try; the failure itself is counted."""
    assert judge(error, attempt, policy, lambda: 0.5) == Dead(attempt + 1)


@pytest.mark.parametrize("make", COUNTED, ids=lambda make: make.__name__)
@given(attempt=ATTEMPTS, policy=POLICIES, delay=DELAYS, bound=st.none() | st.integers(1, 20), jitter=JITTER)
def test_passing_errors_count_and_die_exactly_at_the_bound(
    make: Callable[..., errors.TransientError],
    attempt: int,
    policy: RetryPolicy,
    delay: float | None,
    bound: int | None,
    jitter: float,
) -> None:
    """The bound is the error's own or the service's; a delay that the upstream names is kept to."""
    verdict = judge(make("x", delay=delay, max_attempts=bound), attempt, policy, lambda: jitter)
    if attempt + 1 >= (bound or policy.max_attempts):
        assert verdict == Dead(attempt + 1)
        return
    assert isinstance(verdict, Later)
    assert verdict.attempt == attempt + 1
    if delay is None:
        assert 0 <= verdict.delay <= min(policy.cap, policy.base * 2**attempt)
    else:
        assert verdict.delay == delay


@given(attempt=ATTEMPTS, policy=POLICIES, jitter=JITTER)
def test_unknown_entity_is_looked_for_a_few_times(attempt: int, policy: RetryPolicy, jitter: float) -> None:
    """An event may overtake what it tells of: three looks two seconds apart, whatever the service's own bound."""
    verdict = judge(errors.UnknownEntity("x"), attempt, policy, lambda: jitter)
    assert verdict == (Later(2.0, attempt + 1) if attempt < 2 else Dead(attempt + 1))


@pytest.mark.parametrize("error", FOREIGN, ids=lambda error: type(error).__name__)
@given(attempt=ATTEMPTS, policy=POLICIES, jitter=JITTER)
def test_faults_of_our_own_count_like_passing_ones(
    error: BaseException, attempt: int, policy: RetryPolicy, jitter: float
) -> None:
    """An exception that is none of ours is tried again, up to the service's bound."""
    verdict = judge(error, attempt, policy, lambda: jitter)
    if attempt + 1 >= policy.max_attempts:
        assert verdict == Dead(attempt + 1)
    else:
        assert isinstance(verdict, Later)
        assert verdict.attempt == attempt + 1


def test_jitter_spreads_over_the_whole_backoff() -> None:
    """Full jitter: from nothing up to a doubling bound, which the cap ends."""
    policy = RetryPolicy(max_attempts=100, base=2.0, cap=30.0)
    low = [judge(errors.TransientError("x"), attempt, policy, lambda: 0.0) for attempt in range(6)]
    high = [judge(errors.TransientError("x"), attempt, policy, lambda: 1.0) for attempt in range(6)]
    assert [later.delay for later in low if isinstance(later, Later)] == [0.0] * 6
    assert [later.delay for later in high if isinstance(later, Later)] == [2, 4, 8, 16, 30, 30]


def test_every_class_of_the_tree_is_judged_above() -> None:
    """A class added to the tree needs a decision about what it does to an event."""
    judged = {type(error) for error in PERMANENT} | {errors.TransientError, errors.RateLimited, errors.StaleWrite}
    judged |= {errors.LeaseLost, errors.BusUnavailable, errors.NotYet, errors.UpstreamDown, errors.UnknownEntity}
    judged |= {errors.CredentialsRefused}
    # Raised only at start and inside the bus; in a run they are faults of ours.
    judged |= {errors.BitByLawError, errors.ConfigurationError, errors.RevisionConflict}
    assert _all_classes() == judged
