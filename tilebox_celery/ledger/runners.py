"""The calls about runners and slots: register, heartbeat, lost, drain, sweep."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from tilebox_celery.errors import LeaseLost
from tilebox_celery.ledger.calls import ANSWER, Answer, read_answer
from tilebox_celery.ledger.routes import no_such_cluster
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.postgres.connection import Connection


class Pulse(NamedTuple):
    """The answer to a heartbeat."""

    state: str | None
    """State of the runner; None when the ledger does not know it as alive any more."""
    gone: list[int]
    """Slots whose tasks were given to others."""


def register_runner(
    connection: Connection,
    cluster: str,
    identifiers: Sequence[TaskIdentifier],
    *,
    name: str,
    host: str,
    pid: int,
    code_version: str,
    wake_by: str,
    slots: int,
    schema_version: int | None = None,
) -> int:
    """Make a runner known and return its id; it is draining at once if the ledger wants newer code.

    Args:
        connection: To the ledger.
        cluster: Its slug.
        identifiers: What the runner can run.
        name: For lists.
        host: Where it runs.
        pid: Its process there.
        code_version: Of the installed package.
        wake_by: ``notify``, ``broker``, or ``none`` if it is never woken.
        slots: How many tasks at once.
        schema_version: Of its code; by default of the code in this process.

    Raises:
        NotFoundError: The cluster does not exist.
    """
    if schema_version is None:
        from tilebox_celery.ledger.open import ledger_schema

        schema_version = ledger_schema().version
    row = connection.execute(
        b"select tbx.register_runner(%s, %s, %s, %s, %s, %s, %s, %s::text[], %s::int[], %s::int[], %s)",
        (
            cluster,
            name,
            host,
            pid,
            code_version,
            wake_by,
            slots,
            [identifier.name for identifier in identifiers],
            [identifier.major for identifier in identifiers],
            [identifier.minor for identifier in identifiers],
            schema_version,
        ),
    ).fetchone()
    if row is None or row[0] is None:
        raise no_such_cluster(cluster)
    return int(row[0])


def register_slot(connection: Connection, runner_id: int, no: int, pid: int, lease: timedelta, *, busy: bool) -> int:
    """Make a slot of a runner known and return its id.

    Raises:
        LeaseLost: The ledger does not know the runner as alive.
    """
    row = connection.execute(
        b"select tbx.register_slot(%s, %s, %s, %s, %s)", (runner_id, no, pid, lease, busy), prepare=True
    ).fetchone()
    if row is None or row[0] is None:
        raise LeaseLost(f"Runner {runner_id} is not alive in the ledger any more.")
    return int(row[0])


def heartbeat(connection: Connection, runner_id: int, slots: Sequence[int], lease: timedelta) -> Pulse:
    """Renew the leases of healthy slots."""
    row = connection.execute(
        b"select state, gone from tbx.heartbeat(%s, %s::bigint[], %s)", (runner_id, list(slots), lease), prepare=True
    ).fetchone()
    assert row is not None, "a function gives one row"
    return Pulse(row[0], row[1] or [])


def wanted_version(connection: Connection) -> int:
    """Return the oldest schema version whose workers may claim."""
    row = connection.execute("select value::int from tbx.meta where key = 'ledger.minimum'").fetchone()
    return int(row[0]) if row is not None else 0


def slot_lost(connection: Connection, slot_id: int, running: tuple[int, int] | None, reason: str) -> Answer:
    """Report that the process of a slot is gone; ``running`` is the task (job, id) that it was running, if known."""
    job_id, task_id = running if running is not None else (None, None)
    return _call(
        connection, b"tbx.slot_lost(%s::bigint, %s::bigint, %s::bigint, %s::text)", slot_id, job_id, task_id, reason
    )


def give_back_unstarted(
    connection: Connection,
    slot_id: int,
    claim_id: str | None,
    tasks: Sequence[tuple[int, int]] | None,
    reason: str | None,
) -> Answer:
    """Give back tasks of a slot: those named, or all that it holds; a reason makes it an entry of the journal."""
    return _call(
        connection,
        b"tbx.give_back(%s::bigint, %s::uuid, %s::bigint[], %s::bigint[], %s::text)",
        slot_id,
        claim_id,
        None if tasks is None else [job_id for job_id, _ in tasks],
        None if tasks is None else [task_id for _, task_id in tasks],
        reason,
    )


def drain_runner(connection: Connection, runner_id: int, *, gone: bool) -> None:
    """Mark a runner as draining, or as gone."""
    connection.execute(b"select tbx.drain_runner(%s, %s)", (runner_id, gone))


def sweep(connection: Connection) -> Answer:
    """Repair what nobody else saw; nothing happens while another process sweeps."""
    return _call(connection, b"tbx.sweep()")


def _call(connection: Connection, function: bytes, *parameters: object) -> Answer:
    cursor = connection.cursor(binary=True)
    cursor.execute(b"select " + ANSWER.encode() + b" from " + function, parameters, prepare=True)
    return read_answer(cursor.fetchall())
