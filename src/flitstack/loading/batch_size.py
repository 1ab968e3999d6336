"""How many rows go into a request: more while answers come quickly, half after one was lost or too large."""

from dataclasses import dataclass

MOST_ROWS = 1_000
GROWTH_ROWS = 25
QUICK_S = 2.0


@dataclass
class BatchSize:
    """Additive increase, multiplicative decrease, between 1 and 1,000 rows.

    Only quick answers let it grow, so a request stays far below the time after which answers get lost. Waiting for a turn counts as
    slow: size does not matter while the pace is what limits.
    """

    rows: int = 500

    def answered(self, rows: int, seconds: float) -> None:
        """A request of `rows` rows was answered."""
        if seconds < QUICK_S and rows >= self.rows:
            self.rows = min(MOST_ROWS, self.rows + max(1, min(GROWTH_ROWS, self.rows // 4)))

    def lost(self, rows: int) -> None:
        """A request of `rows` rows got no answer, or was too large. Several of a size that were under way at once count as one; small last
        requests say nothing about the size."""
        if self.rows // 2 < rows <= self.rows:
            self.rows = max(1, self.rows // 2)
