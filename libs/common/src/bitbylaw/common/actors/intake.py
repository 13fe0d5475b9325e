"""How many messages a worker takes in hand: about what it settles in a second. Pure.

A slow worker takes few, so that the rest stays in the stream for other replicas. A fast one takes many: the more of
them are in hand, the more often several are of one entity and covered by one run under one lease.
"""

#: Seconds of work in hand.
HORIZON = 1.0
#: Seconds over which the pace is measured.
WINDOW = 0.2


class Intake:
    """The limit follows the pace, from `least` to `most`. Times are seconds of the event loop's clock."""

    def __init__(self, *, least: int, most: int) -> None:
        self._least = min(least, most)
        self._most = most
        self._settled = 0
        self._since = 0.0
        #: Messages to have in hand at most.
        self.limit = self._least

    def settled(self, messages: int, now: float) -> None:
        """Note that `messages` were done with at `now`."""
        self._settled += messages
        elapsed = now - self._since
        if elapsed >= WINDOW:
            self.limit = int(min(max(self._settled / elapsed * HORIZON, self._least), self._most))
            self._settled, self._since = 0, now
