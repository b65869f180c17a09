"""The asynchronous client of the datasets of one database."""

from asyncio import to_thread
from collections.abc import Iterable, Mapping

from tilebox_celery.datasets.aio.dataset import Dataset
from tilebox_celery.datasets.groups import DatasetGroup, grouped
from tilebox_celery.datasets.schema import DatasetKind
from tilebox_celery.datasets.sync.client import Client as SyncClient
from tilebox_celery.settings import Settings


class Client:
    """Finds and makes datasets, as `datasets.Client` does; its requests are awaited and overlap.

    Args:
        url: ``postgresql://`` URL of the database; see `datasets.Client`.
        token: Kept for the gateway.
        settings: All other settings.

    Raises:
        ArgumentError: The URL names something that cannot be used.

    Example:
        client = Client()
        datasets = await client.datasets()
        collections = await datasets.open_data.copernicus.sentinel1_sar.collections()
        loads = [each.load(("2024-08-01", "2024-08-02")) for each in collections.values()]
        data = await asyncio.gather(*loads)
    """

    def __init__(self, url: str | None = None, token: str | None = None, *, settings: Settings | None = None) -> None:
        self._client = SyncClient(url, token, settings=settings)

    def __repr__(self) -> str:
        return repr(self._client)

    async def datasets(self) -> "DatasetGroup[Dataset]":
        """Return all datasets as a tree of attributes; see `datasets.Client.datasets`."""
        return grouped([Dataset(each) for each in await to_thread(self._client.datasets)])

    async def dataset(self, slug: str) -> Dataset:
        """Return one dataset by its dotted name; see `datasets.Client.dataset`."""
        return Dataset(await to_thread(self._client.dataset, slug))

    async def create_or_update_dataset(
        self,
        kind: DatasetKind | str,
        code_name: str,
        fields: Iterable[object] | Mapping[str, object] | None = None,
        *,
        name: str | None = None,
        description: str | None = None,
    ) -> Dataset:
        """Make a dataset or add fields; see `datasets.Client.create_or_update_dataset`."""
        made = await to_thread(
            self._client.create_or_update_dataset, kind, code_name, fields, name=name, description=description
        )
        return Dataset(made)

    async def delete_dataset(self, slug: str, *, force: bool = False) -> int:
        """Delete a dataset with its collections; see `datasets.Client.delete_dataset`."""
        return await to_thread(self._client.delete_dataset, slug, force=force)

    async def close(self) -> None:
        """Close all connections."""
        await to_thread(self._client.close)
