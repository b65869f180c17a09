"""One collection of the asynchronous client."""

from asyncio import to_thread
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr

    from tilebox_celery.datasets.collection_info import CollectionInfo
    from tilebox_celery.datasets.filters import Expression
    from tilebox_celery.datasets.querying import ShowProgress
    from tilebox_celery.datasets.spatial import SpatialExtentLike
    from tilebox_celery.datasets.sync.timeseries import TimeseriesCollection as SyncCollection
    from tilebox_celery.datasets.time_interval import TimeIntervalLike


class TimeseriesCollection:
    """A collection whose requests are awaited, and overlap; datasets make it.

    Args:
        collection: That does the work, in threads.
        info: What it held when it was asked for; it is printed, since printing cannot await.
    """

    def __init__(self, collection: "SyncCollection", info: "CollectionInfo | None" = None) -> None:
        self.sync = collection
        """The same collection of the synchronous client."""
        self._info = info

    def __repr__(self) -> str:
        return f"Collection {self.name}" if self._info is None else repr(self._info)

    @property
    def name(self) -> str:
        """Its name."""
        return self.sync.name

    async def info(self) -> "CollectionInfo":
        """Return how many datapoints it holds now, from when to when."""
        self._info = await to_thread(self.sync.info)
        return self._info

    async def load(
        self, time_or_interval: "TimeIntervalLike", skip_data: bool = False, show_progress: "ShowProgress" = False
    ) -> "xr.Dataset":
        """Load the datapoints of a time or an interval; see `load` of the synchronous client."""
        return await to_thread(self.sync.load, time_or_interval, skip_data, show_progress)

    async def query(
        self,
        *,
        temporal_extent: "TimeIntervalLike",
        spatial_extent: "SpatialExtentLike | None" = None,
        filter: "Expression | None" = None,
        skip_data: bool = False,
        show_progress: "ShowProgress" = False,
    ) -> "xr.Dataset":
        """Load the datapoints for which everything holds; see `query` of the synchronous client."""
        return await to_thread(
            self.sync.query,
            temporal_extent=temporal_extent,
            spatial_extent=spatial_extent,
            filter=filter,
            skip_data=skip_data,
            show_progress=show_progress,
        )

    async def find(self, datapoint_id: str | UUID, skip_data: bool = False) -> "xr.Dataset":
        """Return one datapoint, without a dimension `time`."""
        return await to_thread(self.sync.find, datapoint_id, skip_data)

    async def ingest(
        self, data: Any, allow_existing: bool = True, *, show_progress: "ShowProgress" = False
    ) -> list[UUID]:
        """Store datapoints, all of them or none; see `ingest` of the synchronous client."""
        return await to_thread(self.sync.ingest, data, allow_existing, show_progress=show_progress)

    async def delete(self, datapoints: "xr.Dataset | str | UUID | Iterable[str | UUID]") -> int:
        """Delete datapoints, and return how many were there."""
        return await to_thread(self.sync.delete, datapoints)
