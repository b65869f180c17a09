"""How many tasks fill a batch's time, learned from the tasks that this slot has run."""

import time

MAX_BATCH = 256
GROWTH = 4


class Pace:
    """Measured runtimes by route.

    The first batch of an unseen route is one task; after that a cap grows at most fourfold a batch, so that one fast
    task does not vouch for hundreds of slow ones.

    Args:
        batch_seconds: Expected work that one claim takes.

    Example:
        >>> pace = Pace(0.1)
        >>> pace.learn(7, 1, 0.001)
        >>> pace.caps()
        ([7], [4])
    """

    __slots__ = ("_batch", "_caps", "_seconds", "share", "share_until")

    def __init__(self, batch_seconds: float) -> None:
        self._batch = batch_seconds
        self._seconds: dict[int, float] = {}
        self._caps: dict[int, int] = {}
        self.share = 1
        """Slots of the cluster among which ready tasks are shared."""
        self.share_until = 0.0

    def learn(self, route_id: int, count: int, seconds: float) -> None:
        """Take in that ``count`` tasks of a route ran ``seconds`` in all."""
        each = seconds / count
        known = self._seconds.get(route_id)
        mean = each if known is None or each > 4 * known else 0.5 * known + 0.5 * each
        self._seconds[route_id] = mean
        fits = int(self._batch / mean) if mean > 0 else MAX_BATCH
        self._caps[route_id] = max(1, min(MAX_BATCH, fits, GROWTH * max(count, self._caps.get(route_id, 1))))

    def is_long(self, route_id: int) -> bool:
        """Tell whether one task fills the batch's time, as far as is known."""
        return self._seconds.get(route_id, self._batch) >= self._batch

    def caps(self) -> tuple[list[int], list[int]]:
        """Return routes and how many tasks of each fill a batch."""
        return list(self._caps), list(self._caps.values())

    def share_is_old(self) -> bool:
        """Tell, once in two seconds, that the number of slots should be asked for again."""
        now = time.monotonic()
        if now < self.share_until:
            return False
        self.share_until = now + 2.0
        return True
