"""One dataset of the asynchronous client."""

from asyncio import gather, to_thread
from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from tilebox_celery.datasets.aio.timeseries import TimeseriesCollection
from tilebox_celery.datasets.schema import Field, Schema
from tilebox_celery.datasets.sync.timeseries import TimeseriesCollection as SyncCollection
from tilebox_celery.errors import NotFoundError

if TYPE_CHECKING:
    import xarray as xr

    from tilebox_celery.datasets.collection_info import CollectionInfo
    from tilebox_celery.datasets.filters import Expression
    from tilebox_celery.datasets.querying import ShowProgress
    from tilebox_celery.datasets.spatial import SpatialExtentLike
    from tilebox_celery.datasets.sync.dataset import Dataset as SyncDataset
    from tilebox_celery.datasets.time_interval import TimeIntervalLike

CollectionLike = str | UUID | TimeseriesCollection
"""A collection by its name, its id, or as an object."""


class Dataset:
    """A dataset whose requests are awaited; clients make it.

    Args:
        dataset: That does the work.
    """

    def __init__(self, dataset: "SyncDataset") -> None:
        self._dataset = dataset

    def __repr__(self) -> str:
        return repr(self._dataset)

    @property
    def id(self) -> UUID:
        """Its id."""
        return self._dataset.id

    @property
    def slug(self) -> str:
        """Its dotted name."""
        return self._dataset.slug

    @property
    def name(self) -> str:
        """Its name for people."""
        return self._dataset.name

    @property
    def description(self) -> str:
        """What it is, in Markdown."""
        return self._dataset.description

    @property
    def summary(self) -> str:
        """The first line of its description, or its name."""
        return self._dataset.summary

    @property
    def schema(self) -> Schema:
        """Its kind and its fields."""
        return self._dataset.schema

    @property
    def fields(self) -> tuple[Field, ...]:
        """Its fields, beside time, id and ingestion time."""
        return self._dataset.fields

    async def collections(self) -> dict[str, TimeseriesCollection]:
        """Return its collections by name; printing them shows what each holds now."""
        found = await to_thread(self._dataset.collections)
        infos = await gather(*(to_thread(_info, each) for each in found.values()))
        return {name: TimeseriesCollection(each, info) for (name, each), info in zip(found.items(), infos, strict=True)}

    def collection(self, name: CollectionLike) -> TimeseriesCollection:
        """Return a collection by its name or id; the database is asked when it is used."""
        return name if isinstance(name, TimeseriesCollection) else TimeseriesCollection(self._dataset.collection(name))

    async def create_collection(self, name: str) -> TimeseriesCollection:
        """Make a collection; see `Dataset.create_collection` of the synchronous client."""
        return TimeseriesCollection(await to_thread(self._dataset.create_collection, name))

    async def get_or_create_collection(self, name: str) -> TimeseriesCollection:
        """Return a collection, made if it does not exist."""
        return TimeseriesCollection(await to_thread(self._dataset.get_or_create_collection, name))

    async def delete_collection(self, collection: CollectionLike) -> None:
        """Delete a collection with all its datapoints."""
        await to_thread(self._dataset.delete_collection, _plain(collection))

    async def query(
        self,
        *,
        temporal_extent: "TimeIntervalLike",
        collections: Iterable[CollectionLike] | None = None,
        spatial_extent: "SpatialExtentLike | None" = None,
        filter: "Expression | None" = None,
        skip_data: bool = False,
        show_progress: "ShowProgress" = False,
    ) -> "xr.Dataset":
        """Load datapoints of several collections; see `Dataset.query` of the synchronous client."""
        return await to_thread(
            self._dataset.query,
            temporal_extent=temporal_extent,
            collections=_plain_all(collections),
            spatial_extent=spatial_extent,
            filter=filter,
            skip_data=skip_data,
            show_progress=show_progress,
        )

    async def find(
        self, datapoint_id: str | UUID, collections: Iterable[CollectionLike] | None = None, *, skip_data: bool = False
    ) -> "xr.Dataset":
        """Return one datapoint, from whichever collection holds it."""
        return await to_thread(self._dataset.find, datapoint_id, _plain_all(collections), skip_data=skip_data)


def _plain(collection: CollectionLike) -> str | UUID | SyncCollection:
    return collection.sync if isinstance(collection, TimeseriesCollection) else collection


def _plain_all(collections: Iterable[CollectionLike] | None) -> "list[str | UUID | SyncCollection] | None":
    if collections is None:
        return None
    if isinstance(collections, (str, UUID, TimeseriesCollection)):
        collections = [collections]
    return [_plain(each) for each in collections]


def _info(collection: SyncCollection) -> "CollectionInfo | None":
    try:
        return collection.info()
    except NotFoundError:  # deleted meanwhile
        return None
