"""What a collection holds: how many datapoints, from when to when."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tilebox_celery.datasets.time_interval import TimeInterval


@dataclass(frozen=True)
class CollectionInfo:
    """The datapoints of a collection at one moment.

    Args:
        name: Of the collection.
        availability: From the first to the last datapoint, both included; None if there is none, or nobody counted.
        count: Of datapoints; None if nobody counted.

    Example:
        >>> print(CollectionInfo("L1GT", None, 0))
        L1GT: <empty> (0 data points)
    """

    name: str
    availability: "TimeInterval | None"
    count: int | None

    def __str__(self) -> str:
        if self.count is None and self.availability is None:
            return f"{self.name}: <availability unknown>"
        availability = "<empty>" if self.availability is None else str(self.availability)
        return f"{self.name}: {availability}" + ("" if self.count is None else f" ({self.count} data points)")

    def __repr__(self) -> str:
        return f"Collection {self}"
