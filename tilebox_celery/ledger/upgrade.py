"""Upgrade a ledger that workers use: those of older code end first, then tables and functions change."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tilebox_celery.errors import LedgerVersionMismatch
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.postgres.migrate import Schema

LOOK_AGAIN = 0.2
SHOWN = 3

# Both run in ledgers of older code, so they use only what every version has had.
_DRAIN = """
    update tbx.runners r set state = 'draining' from (
        select o.id from tbx.runners o where o.state = 'live' and o.schema_version < %s
        order by o.id for update skip locked
    ) x where r.id = x.id
"""
_OLDER = """
    select r.host, r.pid, r.schema_version, array(
        select k.name || ' of job ' || j.uuid
        from tbx.slots s join tbx.tasks t on t.slot_id = s.id and t.state = 'RUNNING'
        join tbx.routes k on k.id = t.route_id join tbx.jobs j on j.id = t.job_id
        where s.runner_id = r.id order by t.claimed_at, t.id limit %s
    )
    from tbx.runners r
    where r.state <> 'gone' and r.schema_version < %s and (
        r.seen_at > tbx.now() - interval '30 seconds'
        or exists (
            select 1 from tbx.slots s join tbx.leases l on l.slot_id = s.id
            where s.runner_id = r.id and s.state <> 'gone' and l.until > tbx.now()
        )
    )
    order by r.id
"""


@dataclass(frozen=True)
class OlderRunner:
    """A live runner whose code is too old for the schema that comes."""

    host: str
    pid: int
    schema_version: int
    tasks: tuple[str, ...]
    """What it runs, at most the first few."""

    def __str__(self) -> str:
        """Say where it is and what it does."""
        return f"{self.host}/{self.pid}" + (f" (runs {', '.join(self.tasks)})" if self.tasks else "")


def upgrade_ledger(
    connection: Connection,
    schema: Schema,
    *,
    wait: timedelta,
    now: bool = False,
    tell: Callable[[Sequence[OlderRunner]], None] = lambda _: None,
    home: Path | None = None,
) -> list[str]:
    """Apply what is missing and return the names of what was applied.

    Where the schema of this code is too new for workers that run, they are told to end first. That is committed on
    its own, so an upgrade that is interrupted or killed can be repeated, at any point.

    Args:
        connection: To the ledger, in autocommit mode.
        schema: Of this code.
        wait: How long to wait for workers of older code.
        now: Do not wait; what those workers run is repeated if the ledger refuses their reports.
        tell: Called with the older runners whenever they, or what they run, have changed.
        home: The data directory of an embedded ledger, for errors.

    Raises:
        LedgerVersionMismatch: The ledger is newer than this code, or of an unreleased version, or older workers
            were still there after the wait.

    Example:
        upgrade_ledger(connection, ledger_schema(), wait=timedelta(minutes=1))
    """
    schema.check_history(connection, home)
    version, _ = schema.state(connection)
    if 0 < version < schema.minimum:
        schema.raise_minimum(connection)
        _end_older(connection, schema.minimum, timedelta(0) if now else wait, tell, may_stay=now)
    return schema.upgrade(connection, home)


def sentence_of(older: Sequence[OlderRunner]) -> str:
    """Say whom an upgrade waits for.

    Example:
        >>> sentence_of([OlderRunner("host", 7, 1, ()), OlderRunner("host", 8, 1, ("Tile of job 1",))])
        '2 workers of older code are ending their tasks: host/7, host/8 (runs Tile of job 1)'
    """
    return f"{_count(older)} ending {'its' if len(older) == 1 else 'their'} tasks: {_list(older)}"


def _end_older(
    connection: Connection,
    minimum: int,
    wait: timedelta,
    tell: Callable[[Sequence[OlderRunner]], None],
    *,
    may_stay: bool,
) -> None:
    """Tell older runners to claim nothing more, and wait until they have left.

    Their workers learn of it by the next heartbeat or claim; nobody has to be woken for that.
    """
    deadline = time.monotonic() + wait.total_seconds()
    told: list[OlderRunner] = []
    while True:
        connection.execute(_DRAIN, (minimum,))  # again: a row that was locked, a runner that came back
        older = [
            OlderRunner(host, pid, version, tuple(tasks))
            for host, pid, version, tasks in connection.execute(_OLDER, (SHOWN, minimum)).fetchall()
        ]
        if not older or may_stay:
            return
        if time.monotonic() >= deadline:
            raise LedgerVersionMismatch(
                f"{_count(older)} still there, claiming nothing more: {_list(older)}. Run 'tilebox-celery db upgrade' "
                "again when they have ended, or with --now: what they run is then repeated if the ledger refuses "
                "their reports."
            )
        if older != told:
            tell(older)
            told = older
        time.sleep(min(LOOK_AGAIN, max(0.0, deadline - time.monotonic())))


def _count(older: Sequence[OlderRunner]) -> str:
    return "1 worker of older code is" if len(older) == 1 else f"{len(older)} workers of older code are"


def _list(older: Sequence[OlderRunner]) -> str:
    more = [f"and {len(older) - 10} more"] if len(older) > 10 else []
    return ", ".join([*map(str, older[:10]), *more])
