"""One collection of datapoints: load, query, find, ingest and delete."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from tilebox_celery.datasets.collection_info import CollectionInfo
from tilebox_celery.datasets.querying import ShowProgress, collection_info, find, query
from tilebox_celery.errors import NotFoundError, TileboxCeleryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import xarray as xr

    from tilebox_celery.datasets.filters import Expression
    from tilebox_celery.datasets.spatial import SpatialExtentLike
    from tilebox_celery.datasets.store.records import CollectionRecord, DatasetRecord
    from tilebox_celery.datasets.store.store import DatasetStore
    from tilebox_celery.datasets.time_interval import TimeIntervalLike


class TimeseriesCollection:
    """A collection of a dataset; datasets make it.

    Args:
        store: Where it is.
        dataset: That it belongs to.
        name: Or id; the database is asked when it is used.
        record: What the database says of it, if that is known.
    """

    def __init__(
        self,
        store: "DatasetStore",
        dataset: "DatasetRecord",
        name: str | UUID,
        record: "CollectionRecord | None" = None,
    ) -> None:
        self._store = store
        self._dataset = dataset
        self._name = name
        self._record = record

    def __repr__(self) -> str:
        try:
            return repr(self.info())
        except TileboxCeleryError:  # a debugger prints it, too, and a notebook
            return repr(CollectionInfo(str(self._name), None, None))

    @property
    def name(self) -> str:
        """Its name."""
        return self._name if isinstance(self._name, str) else self.record.name

    @property
    def id(self) -> UUID:
        """Its id."""
        return self.record.id

    @property
    def dataset_id(self) -> UUID:
        """The id of its dataset."""
        return self._dataset.id

    @property
    def record(self) -> "CollectionRecord":
        """What the database says of it.

        Raises:
            NotFoundError: There is no such collection.
        """
        if self._record is None:
            if isinstance(self._name, str):
                self._record = self._store.find_collection(self._dataset, self._name)
            else:
                self._record = self._with_id(self._name)
        return self._record

    def info(self) -> CollectionInfo:
        """Return how many datapoints it holds now, from when to when.

        Raises:
            NotFoundError: There is no such collection.
        """
        return collection_info(self._store, self.record)

    def load(
        self, time_or_interval: "TimeIntervalLike", skip_data: bool = False, show_progress: ShowProgress = False
    ) -> "xr.Dataset":
        """Load the datapoints of a time or an interval.

        Args:
            time_or_interval: A datetime, a text (UTC) or Unix seconds: all datapoints of that millisecond. A pair
                (tuple): from the first, included, to the second, not included. A `TimeInterval`: as it says. Any other
                iterable, a DataArray or a Dataset with `time`: from its first to its last, both included.
            skip_data: Load times and ids only.
            show_progress: Draw a progress bar, or call a function with the fraction done.

        Returns:
            Dimension `time`, sorted by time and id; ``xarray.Dataset()`` without any dimension if there is nothing.

        Raises:
            NotFoundError: There is no such collection.
            ArgumentError: The time cannot be read.

        Example:
            data = collection.load(("2024-08-01", "2024-09-01"), show_progress=True)
        """
        return query(self._store, self._dataset, [self.record], time_or_interval, None, None, skip_data, show_progress)

    def query(
        self,
        *,
        temporal_extent: "TimeIntervalLike",
        spatial_extent: "SpatialExtentLike | None" = None,
        filter: "Expression | None" = None,
        skip_data: bool = False,
        show_progress: ShowProgress = False,
    ) -> "xr.Dataset":
        """Load the datapoints of an interval, an area, and for which a condition holds.

        Args:
            temporal_extent: As in `load`.
            spatial_extent: A shapely geometry in degrees, which footprints must intersect, or a mapping of
                ``geometry``, ``mode`` (``"intersects"`` or ``"contains"``) and ``coordinate_system`` (``"cartesian"``
                or ``"spherical"``).
            filter: Such as ``(field("cloud_cover") < 20) & field("platform").is_not_null()``.
            skip_data: Load times and ids only.
            show_progress: Draw a progress bar, or call a function with the fraction done.

        Raises:
            NotFoundError: There is no such collection.
            ArgumentError: The time, the area or a field of the filter cannot be used.
            TypeError: The filter is no condition.
        """
        return query(
            self._store, self._dataset, [self.record], temporal_extent, spatial_extent, filter, skip_data, show_progress
        )

    def find(self, datapoint_id: str | UUID, skip_data: bool = False) -> "xr.Dataset":
        """Return one datapoint, without a dimension `time`.

        Raises:
            NotFoundError: There is no such datapoint, or no such collection.
            ValueError: The id is no UUID.
        """
        return find(self._store, self._dataset, [self.record], datapoint_id, skip_data)

    def ingest(self, data: Any, allow_existing: bool = True, *, show_progress: ShowProgress = False) -> list[UUID]:
        """Store datapoints, all of them or none.

        The id of a datapoint is computed from its values: the same data again changes nothing.

        Args:
            data: Mappings, columns, a DataFrame or GeoDataFrame, an xarray.Dataset (also one that `load` gave), an
                Arrow table, STAC items in any form, GeoJSON, or the path of a NetCDF, Parquet, JSON or NDJSON file.
            allow_existing: Whether datapoints that are there already are no error.
            show_progress: Draw a progress bar, or call a function with the fraction done.

        Returns:
            The ids of all datapoints of `data`, in its order.

        Raises:
            ArgumentError: A row cannot be stored; the message has its number, the field and the reason.
        """
        from tilebox_celery.datasets.ingesting import ingest

        return ingest(self._store, self._dataset, self.record, data, allow_existing, show_progress)

    def delete(self, datapoints: "xr.Dataset | str | UUID | Iterable[str | UUID]") -> int:
        """Delete datapoints.

        Args:
            datapoints: Ids, or what `load` or `find` gave.

        Returns:
            How many were there.

        Raises:
            ValueError: An id is no UUID.
        """
        from tilebox_celery.datasets.ingesting import delete

        return delete(self._store, self.record, datapoints)

    def _with_id(self, collection_id: UUID) -> "CollectionRecord":
        for record in self._store.collections(self._dataset):
            if record.id == collection_id:
                return record
        raise NotFoundError(f"No such collection {collection_id}")
