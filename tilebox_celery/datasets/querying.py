"""Answer what a client asks of collections: read the arguments, load from the store, give xarray."""

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from tilebox_celery.datasets.collection_info import CollectionInfo
from tilebox_celery.datasets.progress import follow
from tilebox_celery.errors import ArgumentError

if TYPE_CHECKING:
    import xarray as xr

    from tilebox_celery.datasets.filters import Expression
    from tilebox_celery.datasets.spatial import SpatialExtentLike
    from tilebox_celery.datasets.store.records import CollectionRecord, DatasetRecord
    from tilebox_celery.datasets.store.store import DatasetStore
    from tilebox_celery.datasets.time_interval import TimeIntervalLike

ShowProgress = bool | Callable[[float], object]
"""Draw a bar, or call this with the fraction done, from 0 to 1."""


def query(
    store: "DatasetStore",
    dataset: "DatasetRecord",
    collections: "Sequence[CollectionRecord]",
    when: "TimeIntervalLike | None",
    where: "SpatialExtentLike | None",
    condition: "Expression | None",
    skip_data: bool,
    show_progress: ShowProgress,
) -> "xr.Dataset":
    """Load datapoints; see `TimeseriesCollection.query`."""
    from tilebox_celery.datasets.garbage import collector_paused
    from tilebox_celery.datasets.spatial import parse_area
    from tilebox_celery.datasets.time_arguments import parse_time_argument
    from tilebox_celery.datasets.time_interval import milliseconds
    from tilebox_celery.datasets.xarray_layout import Layout

    if when is None:
        raise ArgumentError("A temporal_extent for your query must be specified")
    first, end = milliseconds(parse_time_argument(when))
    area = None if where is None else parse_area(where)
    layout = Layout(dataset.schema, skip_data)
    # Closed here: whoever keeps the error that ends a load, as a notebook does, would keep its connections open, too.
    with (
        closing(store.load(collections, first, end, where=condition, area=area, skip_data=skip_data)) as pages,
        collector_paused(),
    ):
        if show_progress:
            first, end = _known_part(store, collections, first, end)
        fractions = ((page, (min(page.end_ms, end) - first) / max(end - first, 1)) for page in pages)
        for page in follow(fractions, show_progress, f"Loading {dataset.slug}"):
            layout.add(page.table, page.expected)
        return layout.dataset()


def _known_part(
    store: "DatasetStore", collections: "Sequence[CollectionRecord]", first: int, end: int
) -> tuple[int, int]:
    """Return the part of an interval in which there are datapoints, of which progress is a fraction."""
    infos = [info for info in map(store.info, collections) if info.total]
    starts = [info.first_ms for info in infos if info.first_ms is not None]
    ends = [info.last_ms for info in infos if info.last_ms is not None]
    return max(first, min(starts, default=first)), min(end, max(ends, default=end) + 1)


def find(
    store: "DatasetStore",
    dataset: "DatasetRecord",
    collections: "Sequence[CollectionRecord]",
    datapoint_id: str | UUID,
    skip_data: bool,
) -> "xr.Dataset":
    """Return one datapoint; see `TimeseriesCollection.find`."""
    from tilebox_celery.datasets.identifiers import parse_datapoint_id
    from tilebox_celery.datasets.xarray_layout import to_datapoint

    found = store.find(collections, parse_datapoint_id(datapoint_id), skip_data=skip_data)
    return to_datapoint(found, dataset.schema, skip_data)


def collection_info(store: "DatasetStore", collection: "CollectionRecord") -> CollectionInfo:
    """Return what a collection holds now."""
    from tilebox_celery.datasets.time_interval import EPOCH, TimeInterval

    count, first, last = store.info(collection)
    availability = None
    if first is not None and last is not None:
        start, end = (EPOCH + timedelta(milliseconds=each) for each in (first, last))
        availability = TimeInterval(start, end, end_inclusive=True)
    return CollectionInfo(collection.name, availability, count)
