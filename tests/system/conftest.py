"""A fleet of real worker processes for each system test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fleet import Fleet

from tilebox_celery.embedded import Stack
from tilebox_celery.workflows import Client


@pytest.fixture(scope="session")
def broker_url(stack: Stack) -> str:
    """Runners of two ledgers have the same ids, so the tests of each process need a database of the broker."""
    number = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return f"{stack.broker_url}?virtual_host={1 + int(number) % 15}"


@pytest.fixture
def fleet(client: Client, cluster: object, ledger_url: str, broker_url: str, tmp_path: Path) -> Iterator[Fleet]:
    """Workers on the ledger of this test and the Valkey of this run; stopped afterwards."""
    fleet = Fleet(client, ledger_url, broker_url, tmp_path)
    yield fleet
    fleet.stop()
