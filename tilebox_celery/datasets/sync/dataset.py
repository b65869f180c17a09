"""One dataset: its collections, and queries over many of them."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tilebox_celery.datasets.querying import ShowProgress, query
from tilebox_celery.datasets.schema import Field, Schema
from tilebox_celery.datasets.sync.timeseries import TimeseriesCollection
from tilebox_celery.errors import ArgumentError, NotFoundError

if TYPE_CHECKING:
    import xarray as xr

    from tilebox_celery.datasets.filters import Expression
    from tilebox_celery.datasets.spatial import SpatialExtentLike
    from tilebox_celery.datasets.store.records import CollectionRecord, DatasetRecord
    from tilebox_celery.datasets.store.store import DatasetStore
    from tilebox_celery.datasets.time_interval import TimeIntervalLike

CollectionLike = str | UUID | TimeseriesCollection
"""A collection by its name, its id, or as an object."""


class Dataset:
    """A dataset of one database; clients make it.

    Args:
        store: Where it is.
        record: What the database says of it.
    """

    def __init__(self, store: "DatasetStore", record: "DatasetRecord") -> None:
        self._store = store
        self._record = record

    def __repr__(self) -> str:
        return f"{self.slug} [{self.schema.kind} dataset]: {self.summary}"

    @property
    def id(self) -> UUID:
        """Its id."""
        return self._record.id

    @property
    def slug(self) -> str:
        """Its dotted name."""
        return self._record.slug

    @property
    def name(self) -> str:
        """Its name for people."""
        return self._record.name

    @property
    def description(self) -> str:
        """What it is, in Markdown."""
        return self._record.description

    @property
    def summary(self) -> str:
        """The first line of its description, or its name."""
        lines = self.description.strip().splitlines()
        return lines[0].lstrip("# ") if lines else self.name

    @property
    def schema(self) -> Schema:
        """Its kind and its fields."""
        return self._record.schema

    @property
    def fields(self) -> tuple[Field, ...]:
        """Its fields, beside time, id and ingestion time."""
        return self.schema.fields

    def collections(self) -> dict[str, TimeseriesCollection]:
        """Return its collections by name; printing them shows what each holds."""
        return {record.name: self._collection(record) for record in self._store.collections(self._record)}

    def collection(self, name: CollectionLike) -> TimeseriesCollection:
        """Return a collection by its name, or by its id.

        The database is not asked: a collection that does not exist is reported when it is used.

        Raises:
            ArgumentError: It is an object, and of another dataset.

        Example:
            client.dataset("open_data.copernicus.sentinel1_sar").collection("S1A_IW_RAW__0S").info()
        """
        if isinstance(name, TimeseriesCollection):
            if name.dataset_id != self.id:
                raise ArgumentError(
                    f"The collection '{name.name}' belongs to another dataset than '{self.slug}': get it from there."
                )
            return name
        return TimeseriesCollection(self._store, self._record, name)

    def create_collection(self, name: str) -> TimeseriesCollection:
        """Make a collection.

        Raises:
            ArgumentError: There is one of this name, or the name cannot be used.
        """
        return self._collection(self._store.create_collection(self._record, name))

    def get_or_create_collection(self, name: str) -> TimeseriesCollection:
        """Return a collection, made if it does not exist."""
        return self._collection(self._store.create_collection(self._record, name, exists_ok=True))

    def delete_collection(self, collection: CollectionLike) -> None:
        """Delete a collection with all its datapoints.

        Raises:
            NotFoundError: There is no such collection.
        """
        self._store.delete_collection(self.collection(collection).record)

    def query(
        self,
        *,
        temporal_extent: "TimeIntervalLike",
        collections: Iterable[CollectionLike] | None = None,
        spatial_extent: "SpatialExtentLike | None" = None,
        filter: "Expression | None" = None,
        skip_data: bool = False,
        show_progress: ShowProgress = False,
    ) -> "xr.Dataset":
        """Load datapoints of several collections; see `TimeseriesCollection.query`.

        Args:
            temporal_extent: When.
            collections: Which; None: all of them.
            spatial_extent: Where.
            filter: What else must hold of them.
            skip_data: Load times and ids only.
            show_progress: Draw a progress bar, or call a function with the fraction done.

        Raises:
            NotFoundError: There is no such collection.
        """
        records = self._records(collections)
        return query(
            self._store, self._record, records, temporal_extent, spatial_extent, filter, skip_data, show_progress
        )

    def find(
        self, datapoint_id: str | UUID, collections: Iterable[CollectionLike] | None = None, *, skip_data: bool = False
    ) -> "xr.Dataset":
        """Return one datapoint, from whichever collection holds it.

        Raises:
            NotFoundError: There is no such datapoint.
            ValueError: The id is no UUID.
        """
        from tilebox_celery.datasets.querying import find

        return find(self._store, self._record, self._records(collections), datapoint_id, skip_data)

    def _collection(self, record: "CollectionRecord") -> TimeseriesCollection:
        return TimeseriesCollection(self._store, self._record, record.name, record)

    def _records(self, collections: Iterable[CollectionLike] | None) -> "list[CollectionRecord]":
        if collections is None:
            return self._store.collections(self._record)
        if isinstance(collections, (str, UUID, TimeseriesCollection)):
            collections = [collections]
        found = [self.collection(each).record for each in collections]
        # Each once, and with the fields of this object: one of them may have been got before a field was added.
        return list({each.key: replace(each, dataset=self._record) for each in found}.values())

    def __getitem__(self, name: str) -> Any:
        """Refuse, with the name of the method that is meant."""
        raise NotFoundError(f"A dataset has no items: use .collection({name!r}).")
