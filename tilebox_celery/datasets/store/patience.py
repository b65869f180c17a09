"""Change the table of a dataset without a wait that has no end."""

import time
from collections.abc import Callable
from contextlib import suppress
from itertools import chain, repeat
from typing import TypeVar

from psycopg import errors

from tilebox_celery.datasets.store.connections import Connections
from tilebox_celery.postgres.connection import Connection

PATIENCE_MS = (250, 500, 1_000, 2_000, 4_000, 8_000)
"""How long a change waits for those who use the table, and others for it; the last one again and again."""
PAUSE_SECONDS = 0.05
"""In which those go on who had to wait for the change."""
Result = TypeVar("Result")


def patiently(connections: Connections, change: Callable[[Connection], Result]) -> Result:
    """Run a transaction that may have to wait until loads and ingests that are under way have ended.

    Whoever comes after it waits for it. That may be the one for whom it waits: a thread that reads several loads in
    turns. So it steps back now and then, and starts again.

    Args:
        connections: To the database.
        change: What happens in the transaction, from its beginning each time.
    """
    for patience_ms in chain(PATIENCE_MS, repeat(PATIENCE_MS[-1])):
        with connections.catalog() as connection, suppress(errors.LockNotAvailable), connection.transaction():
            connection.execute("select set_config('lock_timeout', %s, true)", (str(patience_ms),))
            return change(connection)
        time.sleep(PAUSE_SECONDS)
    raise AssertionError  # the loop has no end
