"""Opening a ledger: the embedded one comes ready to use, another one is only checked."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tilebox_celery.dispatch.app import queue_name
from tilebox_celery.embedded import down
from tilebox_celery.errors import ArgumentError, LedgerVersionMismatch
from tilebox_celery.ledger.open import Ledger, ledger_schema, open_ledger
from tilebox_celery.ledger.runners import register_runner
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.settings import Settings


@pytest.fixture
def home() -> Iterator[Path]:
    """A data directory that does not exist yet."""
    parent = Path(tempfile.mkdtemp(prefix="tbx-test-"))
    yield parent / "home"
    down(parent / "home")
    shutil.rmtree(parent, ignore_errors=True)


OPEN_IN_MANY = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tilebox_celery.ledger.open import open_ledger
from tilebox_celery.settings import Settings

settings = Settings(home=Path(sys.argv[1]))
with ThreadPoolExecutor(4) as pool:
    ledgers = list(pool.map(lambda _: open_ledger(settings), range(4)))
with ledgers[0].reading.connection() as connection:
    from tilebox_celery.ledger.queries_clusters import list_clusters
    print(list_clusters(connection), ledgers[0].control.cluster_slug(None))
for ledger in ledgers:
    ledger.close()
"""


def test_embedded_ledger_comes_ready(home: Path) -> None:
    """Many first openings of one data directory at once give one schema and one default cluster, dev-cluster."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN_IN_MANY, str(home)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]

    ended = [process.communicate() for process in processes]

    said = "[Cluster(slug='dev-cluster', display_name='dev-cluster')] dev-cluster"
    assert [(out.strip(), err) for out, err in ended] == [(said, "")] * 2


def test_embedded_ledger_is_upgraded_and_restarted(home: Path) -> None:
    """Another version's functions are replaced by opening, and stopped servers start again at the next call."""
    settings = Settings(home=home)
    ledger = open_ledger(settings)
    first = ledger.control.create_cluster("mine").slug
    with ledger.connect() as connection:
        connection.execute("drop function tbx.cancel")
        connection.execute("update tbx.meta set value = 'other' where key = 'ledger.digest'")
    again = open_ledger(settings)
    with again.connect() as connection:
        restored = connection.execute("select to_regproc('tbx.cancel') is not null").fetchone()
    again.close()

    down(home)
    found = ledger.control.cluster_slug(first)

    ledger.close()
    assert restored == (True,)
    assert found == first
    assert ledger.is_embedded
    assert str(ledger.broker_url).startswith("redis+socket://")


def test_other_ledger_is_only_checked(ledger_url: str, connection: Connection) -> None:
    """A configured ledger gets no cluster and no new functions by being opened."""
    open_ledger(Settings(ledger_url=ledger_url)).close()
    connection.execute("update tbx.meta set value = 'other' where key = 'ledger.digest'")

    with pytest.raises(LedgerVersionMismatch, match="db upgrade"):
        open_ledger(Settings(ledger_url=ledger_url))

    assert connection.execute("select count(*) from tbx.clusters").fetchone() == (0,)
    assert connection.execute("select value from tbx.meta where key = 'ledger.digest'").fetchone() == ("other",)


def test_empty_database_is_explained(ledger_url: str, connection: Connection) -> None:
    """A database without tables says how to make them."""
    connection.execute("drop schema tbx cascade")

    with pytest.raises(LedgerVersionMismatch, match="has no tables yet: run 'tilebox-celery db upgrade'"):
        open_ledger(Settings(ledger_url=ledger_url))


def test_broker_is_the_configured_one(ledger_url: str) -> None:
    """With a configured ledger, only a configured broker is used."""
    without = open_ledger(Settings(ledger_url=ledger_url))
    named = open_ledger(Settings(ledger_url=ledger_url, broker_url="redis://example:1/0"))

    assert (without.broker_url, named.broker_url) == (None, "redis://example:1/0")
    without.close()
    named.close()


def test_repr_hides_the_password() -> None:
    """A ledger shows its URL without the password, and a wrong scheme is refused."""
    assert repr(Ledger("postgresql://me:hidden@db/x", Settings())) == "Ledger('postgresql://me:***@db/x')"
    with pytest.raises(ArgumentError, match="must start with postgresql://"):
        open_ledger(Settings(ledger_url="mysql://me:hidden@db/x"))


def test_ledgers_on_one_broker_have_queues_of_their_own(ledger_url: str, connection: Connection) -> None:
    """Each ledger numbers its runners, and so their queues, from a place of its own."""

    def made_anew() -> int:
        connection.execute("drop schema tbx cascade")
        ledger_schema().upgrade(connection)
        connection.execute("insert into tbx.clusters (slug, display_name) values ('a', 'a')")
        return register_runner(
            connection, "a", [], name="one", host="host", pid=1, code_version="1", wake_by="broker", slots=1
        )

    first, second = made_anew(), made_anew()

    assert abs(first - second) > 1000
    assert queue_name(first) != queue_name(second)
