"""Ctrl-C ends what waits for the database, and is a KeyboardInterrupt, not an error of the database."""

import os
import signal
import threading
import time
from collections.abc import Callable

import pytest
from store_sample import sample

from tilebox_celery.datasets.store.arrow_connection import ArrowConnection
from tilebox_celery.datasets.store.records import CollectionRecord
from tilebox_celery.datasets.store.store import DatasetStore
from tilebox_celery.postgres.connection import Connection, connect


@pytest.mark.parametrize(
    "request_",
    [
        lambda store, collection: store.ingest(collection, sample(5)),
        lambda store, collection: list(store.load([collection], 0, 2**42)),
        lambda store, collection: store.delete(collection, []),
    ],
)
def test_ctrl_c_is_a_keyboard_interrupt(
    store: DatasetStore,
    collection: CollectionRecord,
    connection: Connection,
    ledger_url: str,
    request_: Callable[[DatasetStore, CollectionRecord], object],
) -> None:
    """In whichever of the two drivers it comes; the next request works, and nothing was stored."""
    with connect(ledger_url) as blocking, blocking.transaction():
        blocking.execute(f"lock table tbd.rows_{collection.dataset.key} in access exclusive mode".encode())
        interrupting = threading.Thread(target=_interrupt_when_somebody_waits, args=(connection,))
        interrupting.start()

        with pytest.raises(KeyboardInterrupt):
            request_(store, collection)
        interrupting.join()

    assert store.info(collection).total == 0
    assert store.ingest(collection, sample(5)) == 5


def test_ctrl_c_that_stops_no_statement_is_not_lost(ledger_url: str) -> None:
    """The driver takes it, and the statement ends as if nothing had been, such as one that was just done."""
    arrow = ArrowConnection(ledger_url)
    patient = "do $$ begin perform pg_sleep(30); exception when query_canceled then null; end $$"
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()

    with pytest.raises(KeyboardInterrupt):
        arrow.execute(patient)
    arrow.close()


def _interrupt_when_somebody_waits(connection: Connection) -> None:
    for _ in range(2000):
        waiting = connection.execute(
            "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        )
        if waiting.rowcount:
            break
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)
