"""The store of datasets: what the clients, synchronous and asynchronous, and the command line stand on."""

from functools import partial

from tilebox_celery.datasets.store.connections import Connections
from tilebox_celery.datasets.store.dataset_deletion import delete_dataset
from tilebox_celery.datasets.store.loading import Loading
from tilebox_celery.datasets.store.registry import Registry
from tilebox_celery.datasets.store.rows import Rows


class DatasetStore:
    """Datasets, collections and datapoints in one database; safe to share among threads.

    Args:
        connections: To the database.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._registry = Registry(connections)
        self._rows = Rows(connections)
        self._loading = Loading(connections)
        self.datasets = self._registry.datasets
        self.find_dataset = self._registry.find_dataset
        self.create_or_update_dataset = self._registry.create_or_update_dataset
        self.delete_dataset = partial(delete_dataset, connections)
        self.collections = self._registry.collections
        self.create_collection = self._registry.create_collection
        self.find_collection = self._registry.find_collection
        self.delete_collection = self._registry.delete_collection
        self.ingest = self._rows.ingest
        self.info = self._rows.info
        self.find = self._rows.find
        self.delete = self._rows.delete
        self.load = self._loading.load

    def __reduce__(self) -> tuple[type["DatasetStore"], tuple[Connections]]:
        """Pickle where it is: the copy opens connections of its own when it is used."""
        return DatasetStore, (self._connections,)

    def close(self) -> None:
        """Close all connections; the store can still be used, and opens new ones."""
        self._connections.close()
