"""A ledger that a test has used goes to the next one only if nothing is left of the first."""

import pytest

from tilebox_celery.postgres.connection import connect
from tilebox_celery.testing import LedgerFactory
from tilebox_celery.workflows import Client, Task


class Tile(Task):
    pass


@pytest.fixture
def ledgers(tilebox_ledgers: LedgerFactory) -> LedgerFactory:
    """A factory that has made no ledger yet."""
    return LedgerFactory(tilebox_ledgers.home)


def use(url: str) -> list[object]:
    """Submit a job and return the numbers that it got."""
    client = Client(url=url)
    client.clusters().create("first")
    client.jobs().submit("job", [Tile(), Tile()])
    client.close()
    with connect(url) as connection:
        rows = connection.execute(
            "select (select array_agg(id) from tbx.jobs), (select count(*) from tbx.tasks),"
            " (select array_agg(id) from tbx.task_groups), (select array_agg(id) from tbx.routes)"
        ).fetchall()
    return list(rows)


def test_next_test_gets_the_same_ledger_as_good_as_new(ledgers: LedgerFactory) -> None:
    """All rows are gone and all numbers start again."""
    pairs = []
    for _ in range(5):  # where autovacuum gathers statistics in between, a ledger is rightly used up
        with ledgers.ledger() as first:
            before = use(first)
        with ledgers.ledger() as second:
            after = use(second)
        assert before == after
        pairs.append((first, second))
        if first == second:
            break

    assert pairs[-1][0] == pairs[-1][1]


@pytest.mark.parametrize(
    "change",
    [
        "create or replace function tbx.now() returns timestamptz language sql as 'select timestamptz ''2020-01-01'''",
        "create table mine (id int)",
        "drop index tbx.tasks_ready",
        "alter database {} set synchronous_commit = off",
        "update tbx.meta set value = 'other' where key = 'ledger.digest'",
        "insert into tbx.clusters (slug, display_name) values ('a', 'a'); analyze tbx.clusters",
    ],
    ids=["function", "table", "index", "setting", "version", "statistics"],
)
def test_changed_ledger_is_used_up(ledgers: LedgerFactory, change: str) -> None:
    """Whatever a test did to a ledger beside its rows is not for the next test."""
    with ledgers.ledger() as first, connect(first) as connection:
        for statement in change.format(connection.info.dbname).split(";"):
            connection.execute(statement.encode())

    with ledgers.ledger() as second:
        assert second != first


def test_ledger_with_a_guest_is_used_up(ledgers: LedgerFactory) -> None:
    """A process that outlives its test does not meet the next one."""
    with ledgers.ledger() as first:
        guest = connect(first)

    with ledgers.ledger() as second:
        assert second != first
    with pytest.raises(Exception, match=r"terminat|closed"):
        guest.execute("select 1")
    guest.close()
