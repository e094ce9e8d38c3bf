"""How many messages a consumer group may set aside before the fault must be ours.

One bad message is its sender's fault and must not stop the rest. Where nearly everything is bad, a release of ours, a
setting or a lost database is to blame, and to go on would empty the topic into the dead letters.
"""

from __future__ import annotations


class Limit:
    """Counts what is set aside beyond what is handled: each bad message counts one up, each good one down to zero.

    So it is reached by that many in a row, and in the long run by whatever sets aside more than half."""

    def __init__(self, most: int) -> None:
        """`most` 0: there is no limit."""
        self._most = most
        self.level = 0

    def admits(self, good: int, bad: int) -> bool:
        """Whether a batch of these may be settled; then it counts. One that may not comes again and counts then."""
        level = max(0, self.level - good) + bad
        if bad and self._most and level > self._most:
            return False
        self.level = level
        return True
