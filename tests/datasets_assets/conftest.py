"""A datasets client of an empty database."""

from collections.abc import Iterator

import pytest

from tilebox_celery.datasets import Client


@pytest.fixture
def datasets_client(ledger_url: str) -> Iterator[Client]:
    """A client of the empty database of this test."""
    client = Client(ledger_url)
    yield client
    client.close()
