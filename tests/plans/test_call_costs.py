"""What a call reads depends on what it does, and not on how much the ledger remembers, nor on its statistics."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from ledger_costs import CALLS, HISTORY, LOOKS_THROUGH_JOB, PAST, Scene
from ledger_driver import LedgerDriver

from tilebox_celery.postgres.connection import connect
from tilebox_celery.testing import LedgerFactory

STATISTICS = ("never analyzed", "analyzed")


@pytest.fixture(scope="module")
def scenes(tilebox_ledgers: LedgerFactory) -> Iterator[dict[str, Scene]]:
    """The same work in an empty ledger, and in two with 240,000 older tasks."""
    with ExitStack() as stack:
        found = {}
        for kind in ("empty", *STATISTICS):
            connection = stack.enter_context(connect(stack.enter_context(tilebox_ledgers.ledger()), durable=False))
            LedgerDriver(connection).create_cluster("a")
            connection.execute("alter table tbx.tasks set (autovacuum_enabled = off)")  # nobody analyzes it meanwhile
            if kind != "empty":
                connection.execute(HISTORY.encode(), prepare=False)
            found[kind] = Scene(connection)
            if kind != "empty":
                connection.execute((PAST % {"job": found[kind].job}).encode(), prepare=False)
            if kind == "analyzed":
                connection.execute("analyze")
        yield found


@pytest.mark.parametrize("kind", STATISTICS)
@pytest.mark.parametrize("name", CALLS)
def test_a_call_reads_no_more_beside_a_long_history(scenes: dict[str, Scene], name: str, kind: str) -> None:
    """A call reads no table as a whole, and beside 240,000 older tasks about as many rows as in an empty ledger."""
    past = 45_000 if name in LOOKS_THROUGH_JOB else 0
    empty = scenes["empty"].reads(name)
    old = scenes[kind].reads(name)

    assert old.is_like(empty, past), f"{old}, and in an empty ledger {empty}"


@pytest.mark.parametrize("kind", STATISTICS)
@pytest.mark.parametrize(
    ("index", "name"),
    [
        ("tasks_ready", "claim"),
        ("tasks_running", "lose a slot"),
        ("tasks_delayed", "sweep"),
        ("tasks_held", "sweep"),
        ("jobs_parking", "sweep"),
        ("runners_live", "sweep"),
        ("slots_live", "leave"),
    ],
)
def test_a_missing_index_is_noticed(scenes: dict[str, Scene], index: str, name: str, kind: str) -> None:
    """Without the index that was made for it, a call reads the history."""
    scene = scenes[kind]
    whole = scene.reads(name)
    lacking = scene.reads(name, without=index)

    assert lacking.whole_tables or lacking.rows > whole.rows + 100, f"{lacking}, and with the index {whole}"
