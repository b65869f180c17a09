"""What the reads believe about the database is what the database is."""

import itertools
import uuid

import pytest
import sqlalchemy
from sqlalchemy.dialects.postgresql import dialect

from tilebox_celery.ledger.open import Ledger
from tilebox_celery.ledger.queries_jobs import JobFilter, find_job, list_jobs
from tilebox_celery.ledger.tables import metadata
from tilebox_celery.model.states import JobState, TaskState, job_state
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.settings import Settings


def test_tables_are_those_of_the_database(connection: Connection) -> None:
    """Every table of the ledger is declared with the names, types and nullability of its columns, in their order."""
    rows = connection.execute(
        "select c.relname, a.attname, format_type(a.atttypid, a.atttypmod), not a.attnotnull"
        " from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace = 'tbx'::regnamespace and c.relkind = 'r' and c.relname <> 'meta'"
        " order by c.relname, a.attnum"
    ).fetchall()

    aliases = {"TIMESTAMP WITH TIME ZONE": "timestamp with time zone", "VARCHAR": "text"}
    declared = []
    for table in sorted(metadata.tables.values(), key=lambda table: table.name):
        for column in table.columns:
            name = column.type.compile(dialect())
            declared.append((table.name, column.name, aliases.get(name, name.lower()), bool(column.nullable)))

    assert declared == rows


def test_primary_keys_are_those_of_the_database(connection: Connection) -> None:
    """Every declared primary key is one in the database."""
    rows = connection.execute(
        "select c.relname, array_agg(a.attname::text order by k.n)"
        " from pg_constraint p join pg_class c on c.oid = p.conrelid"
        " cross join lateral unnest(p.conkey) with ordinality k(attnum, n)"
        " join pg_attribute a on a.attrelid = c.oid and a.attnum = k.attnum"
        " where p.contype = 'p' and c.relnamespace = 'tbx'::regnamespace and c.relname <> 'meta' group by 1 order by 1"
    ).fetchall()

    declared = [
        (table.name, [column.name for column in table.primary_key.columns])
        for table in sorted(metadata.tables.values(), key=lambda table: table.name)
        if len(table.primary_key.columns)
    ]

    assert declared == rows


@pytest.mark.parametrize("finished", [False, True])
@pytest.mark.parametrize("canceled", [False, True])
def test_state_in_sql_is_state_in_python(
    ledger_url: str, connection: Connection, finished: bool, canceled: bool
) -> None:
    """For every combination of facts, SQL filters a job under the state that `job_state` derives."""
    ledger = Ledger(ledger_url, Settings())
    expected: dict[uuid.UUID, JobState] = {}
    for started, *numbers in itertools.product([False, True], *([[0, 1]] * 4)):
        failed, running, queued, computed = numbers
        counts = dict(
            zip((TaskState.FAILED, TaskState.RUNNING, TaskState.QUEUED, TaskState.COMPUTED), numbers, strict=True)
        )
        key = uuid.uuid4()
        expected[key] = job_state(settled=finished, canceled=canceled, counts=counts, started=started)
        row = connection.execute(
            "insert into tbx.jobs (uuid, name, trace_parent, submitted_at, started_at, finished_at, canceled_at)"
            " values (%s, 'job', '', now(), case when %s then now() end, case when %s then now() end,"
            " case when %s then now() end) returning id",
            (key, started, finished, canceled),
        ).fetchone()
        assert row is not None
        for shard, sign in ((0, 1), (5, 2), (7, -2)):  # shards may be negative; their sum is the truth
            connection.execute(
                "insert into tbx.job_counts (job_id, shard, failed, running, queued, computed)"
                " values (%s, %s, %s, %s, %s, %s)",
                (row[0], shard, *(sign * number for number in (failed, running, queued, computed))),
            )

    with ledger.reading.connection() as lent:
        filtered = {job.id: state for state in JobState for job in list_jobs(lent, JobFilter(states=[state]))}
        shown = {key: job.state for key in expected if (job := find_job(lent, key)) is not None}

    ledger.close()
    assert filtered == expected
    assert shown == expected


def test_reads_are_never_in_an_open_transaction(ledger_url: str, connection: Connection) -> None:
    """A read leaves no transaction open behind it, whether it was a snapshot or not."""
    ledger = Ledger(ledger_url, Settings())

    states = []
    for snapshot in (False, True, False):
        with ledger.reading.connection(snapshot=snapshot) as lent:
            lent.execute(sqlalchemy.select(1)).scalar_one()
        rows = connection.execute(
            "select state from pg_stat_activity where application_name = 'tilebox-celery'"
            " and datname = current_database() and pid <> pg_backend_pid()"
        ).fetchall()
        states.append(rows)

    ledger.close()
    assert states == [[("idle",)]] * 3


def test_snapshot_shows_one_state(ledger_url: str, connection: Connection) -> None:
    """Within a snapshot, selects do not see what others commit meanwhile; without, they do."""
    ledger = Ledger(ledger_url, Settings())
    count = sqlalchemy.text("select count(*) from tbx.clusters")
    seen = []
    for snapshot in (True, False):
        with ledger.reading.connection(snapshot=snapshot) as lent:
            before = lent.execute(count).scalar_one()
            connection.execute("insert into tbx.clusters (slug, display_name) values (%s, 'x')", (str(snapshot),))
            seen.append(lent.execute(count).scalar_one() - before)

    ledger.close()
    assert seen == [0, 1]
