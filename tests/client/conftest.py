"""Slots for the client's tests."""

from collections.abc import Iterator

import pytest
from slots_by_hand import MakeSlot, Slot

from tilebox_celery.model.cluster import Cluster
from tilebox_celery.postgres.connection import Connection, connect


@pytest.fixture
def make_slot(ledger_url: str, cluster: Cluster) -> Iterator[MakeSlot]:
    """Make slots: ``make_slot("Tile v1.0", ...)``, by default in the default cluster."""
    made: list[Connection] = []

    def make(*tasks: str, cluster: str = cluster.slug, name: str = "runner-1") -> Slot:
        made.append(connect(ledger_url))
        return Slot(made[-1], cluster, tasks, name)

    yield make
    for connection in made:
        connection.close()
