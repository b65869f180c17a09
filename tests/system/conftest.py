"""A fleet of real worker processes for each system test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet import Fleet

from tilebox_celery.embedded import Stack
from tilebox_celery.workflows import Client


@pytest.fixture
def fleet(client: Client, cluster: object, ledger_url: str, stack: Stack, tmp_path: Path) -> Iterator[Fleet]:
    """Workers on the ledger of this test and the Valkey of this run; stopped afterwards."""
    fleet = Fleet(client, ledger_url, stack.broker_url, tmp_path)
    yield fleet
    fleet.stop()
