"""A store in the database of each test, and a dataset with a field of every type."""

from collections.abc import Iterator

import pytest
from store_sample import EVERY_TYPE

from tilebox_celery.datasets.store.open import open_store
from tilebox_celery.datasets.store.records import CollectionRecord
from tilebox_celery.datasets.store.store import DatasetStore
from tilebox_celery.settings import Settings


@pytest.fixture
def store(ledger_url: str) -> Iterator[DatasetStore]:
    """The store of this test."""
    store = open_store(Settings(ledger_url=ledger_url))
    yield store
    store.close()


@pytest.fixture
def collection(store: DatasetStore) -> CollectionRecord:
    """An empty collection of a spatiotemporal dataset with a field of every type."""
    return store.create_collection(store.create_or_update_dataset("group.every_type", EVERY_TYPE), "first")
