"""How many messages a worker takes in hand."""

from hypothesis import given
from hypothesis import strategies as st

from bitbylaw.common.actors.intake import HORIZON, WINDOW, Intake


def test_a_slow_worker_takes_few() -> None:
    """Below its least pace the limit stays at the least, so that other replicas find something to do."""
    intake = Intake(least=64, most=2048)
    assert intake.limit == 64
    for second in range(1, 10):
        intake.settled(10, float(second))
    assert intake.limit == 64


def test_a_fast_worker_takes_about_a_second_of_work() -> None:
    """At an even pace the limit is what a horizon's time settles, and never more than the most."""
    intake = Intake(least=64, most=2048)
    for step in range(1, 101):
        intake.settled(20, step * 0.02)
    assert abs(intake.limit - 1000 * HORIZON) <= 1000 * 0.02 / WINDOW + 1
    for step in range(1, 101):
        intake.settled(2000, 2 + step * 0.02)
    assert intake.limit == 2048


@given(st.lists(st.tuples(st.integers(0, 5000), st.floats(0, 5)), max_size=50), st.integers(1, 200))
def test_the_limit_stays_between_its_bounds(settled: list[tuple[int, float]], least: int) -> None:
    """Whatever is settled whenever, the limit is at least the least and at most the most."""
    intake = Intake(least=least, most=500)
    now = 0.0
    for messages, pause in settled:
        now += pause
        intake.settled(messages, now)
        assert least <= intake.limit <= 500
