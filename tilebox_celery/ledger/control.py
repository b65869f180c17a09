"""What people do to jobs and clusters: submit, cancel, retry; create, change and delete clusters."""

import getpass
import json
import os
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

from tilebox_celery.errors import ArgumentError, NotFoundError
from tilebox_celery.ledger import literals as lit
from tilebox_celery.ledger.calls import ANSWER, Answer, WakeUp, read_answer
from tilebox_celery.ledger.family import SQL_FAMILY
from tilebox_celery.ledger.prepared import PreparedCall
from tilebox_celery.ledger.roots import root_parameters
from tilebox_celery.ledger.routes import RouteIds, ask_default_cluster, no_such_cluster
from tilebox_celery.ledger.session import CallSession
from tilebox_celery.model.cluster import Cluster, new_cluster_slug
from tilebox_celery.model.submission import TaskBatch
from tilebox_celery.model.text import counted
from tilebox_celery.postgres.connection import Connection

Publish = Callable[[Sequence[WakeUp]], None]
"""Sends wake-ups as messages; it must not raise, since a lost wake-up costs time only."""

SUBMIT = PreparedCall(
    f"select {ANSWER} from tbx.submit(%s::text, %s::uuid, %s::text, %s::text, %s::jsonb, %s::text,"  # noqa: S608  # constants
    f" %s::bigint, {SQL_FAMILY})"
)
WAKE_AHEAD = PreparedCall("select slot_id, runner_id, by_message from tbx.wake_ahead(%s::int)")
AHEAD_TASKS = 64
AHEAD_BYTES = 65_536
"""A submission of more takes longer than a slot needs to come."""
WOKEN_BY_THIS_CONNECTION = 0
AHEAD_PAUSE = 0.1
"""Seconds without trying after no slot was idle."""
TO_DISK = b"select pg_logical_emit_message(true, 'tbx', ''), (select j.submitted_at from tbx.jobs j where j.uuid = %s)"
"""A transaction whose commit waits until it and all before it are on the disk, as the settings of the server say."""
CANCEL = b"select j.id, tbx.cancel(%s, j.id) from tbx.jobs j where j.uuid = %s"
PARK = b"select tbx.park(%s, %s)"
RETRY = f"""
    select {", ".join("s." + column for column in ANSWER.split(", "))}
    from tbx.jobs j cross join lateral tbx.retry(%s, j.id, %s) s where j.uuid = %s""".encode()  # noqa: S608
PARK_AT_ONCE = 10_000
PARK_SECONDS = 0.5

CLUSTER_EXISTS = b"select 1 from tbx.clusters where slug = %s and deleted_at is null"
CREATE_CLUSTER = b"""
    insert into tbx.clusters as c (slug, display_name, description, is_default)
    select %s, %s, %s, not exists (select 1 from tbx.clusters d where d.is_default and d.deleted_at is null)
    on conflict (slug) do update set display_name = excluded.display_name, description = excluded.description,
        is_default = excluded.is_default, created_at = tbx.now(), deleted_at = null
    where c.deleted_at is not null or %s
    returning c.slug, c.display_name, c.description"""
UPDATE_CLUSTER = b"""
    update tbx.clusters set display_name = coalesce(%s, display_name), description = coalesce(%s, description)
    where slug = %s and deleted_at is null returning slug, display_name, description"""
OPEN_TASKS = b"""
    select count(*) filter (where t.state = 'QUEUED'), count(*) filter (where t.state = 'RUNNING')
    from tbx.jobs j join tbx.tasks t on t.job_id = j.id
    where j.finished_at is null and t.state in ('QUEUED', 'RUNNING')
        and t.route_id = any (array(select r.id from tbx.routes r where r.cluster_id = %s))"""
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_CLUSTER_REGISTRY = 7412
_CLUSTER_IN_USE = 7418
"""Lock of one cluster: held shared by who submits to it, until he commits."""


def send_nothing(wake_ups: Sequence[WakeUp]) -> None:
    """Leave wake-ups to the sweep."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A new job on its way into the ledger."""

    id: UUID
    """Drawn by the client, so that a repeated submission is the same one."""
    name: str
    trace_parent: str
    roots: TaskBatch
    canvas: Mapping[str, Any] | None = None


class LedgerControl:
    """The calls of clients, one round trip each.

    Args:
        session: Runs the calls and repeats them where that helps.
        routes: Route ids of this ledger.
        publish: Gets the wake-ups that must go out as messages.
        actor: Who does it, for the audit; by default user and host.
    """

    def __init__(
        self,
        session: CallSession,
        routes: RouteIds | None = None,
        publish: Publish = send_nothing,
        actor: str | None = None,
    ) -> None:
        self.session = session
        self.routes = routes if routes is not None else RouteIds()
        self.publish = publish
        self._ahead_at = 0.0
        self.actor = lit.clean_text(actor or _user_and_host())

    def submit(self, submission: Submission) -> datetime:
        """Store a job with its root tasks; submitting the same id again changes nothing.

        Returns:
            When it was submitted, by the clock of the ledger.

        Raises:
            NotFoundError: A cluster does not exist, or none is named and there is no default.
        """
        batch = submission.roots
        canvas = None if submission.canvas is None else json.dumps(submission.canvas)
        names_all = all(batch.clusters)

        def call(connection: Connection) -> datetime:
            default = None if names_all else self.routes.default_cluster(connection)
            routes = self.routes.of_batch(connection, batch, default or "")
            is_ahead = self._goes_ahead(batch)
            parameters = (
                self.actor,
                submission.id,
                lit.clean_text(submission.name),
                submission.trace_parent,
                canvas,
                default,
                WOKEN_BY_THIS_CONNECTION if is_ahead else None,
                *root_parameters(batch, routes),
            )
            if is_ahead:
                rows = SUBMIT.behind(WAKE_AHEAD, connection, (routes[0],), parameters, self._woken_ahead)
            else:
                rows = SUBMIT(connection, parameters)
            self._publish(read_answer(rows))
            _, submitted_at = connection.execute(TO_DISK, (submission.id,)).fetchone() or (None, None)
            assert submitted_at is not None, "the call before stored it, or found it stored"
            return cast("datetime", submitted_at).astimezone(UTC)  # timestamptz

        return self.session.run(call)

    def cancel(self, job: UUID) -> bool:
        """Keep the queued tasks of a job from being picked up.

        Returns:
            False if it had ended or was canceled already.

        Raises:
            NotFoundError: There is no such job.
        """
        row = self.session.run(lambda connection: connection.execute(CANCEL, (self.actor, job)).fetchone())
        if row is None:
            raise no_such_job(job)
        until = time.monotonic() + PARK_SECONDS
        # In pieces, so that no claim waits for long; the sweep does what is left.
        while self.session.run(lambda connection: _value(connection, PARK, row[0], PARK_AT_ONCE)):
            if time.monotonic() > until:
                break
        return bool(row[1])

    def retry(self, job: UUID, *, dry_run: bool = False) -> int:
        """Queue the failed tasks of a job again, and let a canceled one go on.

        Returns:
            How many failed tasks run again; with `dry_run`, how many would.

        Raises:
            NotFoundError: There is no such job.
        """
        rows = self.session.run(lambda connection: connection.execute(RETRY, (self.actor, dry_run, job)).fetchall())
        if not rows:
            raise no_such_job(job)
        answer = read_answer(rows)
        self._publish(answer)
        return answer.count

    def cluster_slug(self, slug: str | None) -> str:
        """Return the slug of a cluster that exists; None means the default one.

        Raises:
            NotFoundError: There is no such cluster, or no default one.
        """
        if slug is None:
            return self.session.run(ask_default_cluster)
        if self.session.run(lambda connection: _value(connection, CLUSTER_EXISTS, lit.clean_text(slug))) is None:
            raise no_such_cluster(slug)
        return slug

    def create_cluster(self, name: str, description: str | None = None, slug: str | None = None) -> Cluster:
        """Create a cluster; the first one becomes the default.

        Raises:
            ArgumentError: The name or the slug cannot be used, or the slug is taken.
        """
        drawn = new_cluster_slug(name)  # checks the name, too
        if slug is not None and not (isinstance(slug, str) and _SLUG.fullmatch(slug)):
            raise ArgumentError(
                f"A cluster slug has 1 to 128 letters, digits, '-', '_' or '.', and starts with a letter or digit; "
                f"{slug!r:.80} does not."
            )
        values = (slug or drawn, name, _description(description), slug is None)  # a drawn slug is ours: a repeated call

        def call(connection: Connection) -> tuple[Any, ...] | None:
            with connection.transaction():
                _value(connection, b"select pg_advisory_xact_lock(%s, 0)", _CLUSTER_REGISTRY)  # one default, not two
                return connection.execute(CREATE_CLUSTER, values).fetchone()

        row = self.session.run(call)
        if row is None:
            raise ArgumentError(f"The cluster slug {slug!r} is taken: choose another, or update that cluster.")
        return Cluster(*row)

    def update_cluster(self, slug: str, name: str | None = None, description: str | None = None) -> Cluster:
        """Change the display name or the description of a cluster.

        Raises:
            NotFoundError: There is no such cluster.
            ArgumentError: The name cannot be used.
        """
        if name is not None:
            new_cluster_slug(name)
        values = (name, None if description is None else _description(description), lit.clean_text(slug))
        row = self.session.run(lambda connection: connection.execute(UPDATE_CLUSTER, values).fetchone())
        if row is None:
            raise no_such_cluster(slug)
        return Cluster(*row)

    def delete_cluster(self, slug: str) -> None:
        """Delete a cluster that has nothing left to do.

        Raises:
            NotFoundError: There is no such cluster.
            ArgumentError: Tasks are queued or running in it.
        """

        def call(connection: Connection) -> None:
            with connection.transaction():
                cluster = _value(
                    connection,
                    b"select id from tbx.clusters where slug = %s and deleted_at is null for update",
                    lit.clean_text(slug),
                )
                if cluster is None:
                    raise no_such_cluster(slug)
                _value(connection, b"select pg_advisory_xact_lock(%s, %s)", _CLUSTER_IN_USE, cluster)
                queued, running = connection.execute(OPEN_TASKS, (cluster,)).fetchone() or (0, 0)
                if queued or running:
                    raise ArgumentError(
                        f"Cluster {slug!r} has {queued:,} queued and {counted(running, 'running task')}: "
                        "let their jobs complete before you delete it; jobs.retry lets a canceled or failed one go on."
                    )
                connection.execute(
                    b"update tbx.clusters set deleted_at = tbx.now(), is_default = false where id = %s", (cluster,)
                )

        self.session.run(call)
        self.routes.forget()

    def _goes_ahead(self, batch: TaskBatch) -> bool:
        """Tell whether a slot is woken before the job is stored."""
        is_large = len(batch) > AHEAD_TASKS or sum(map(len, batch.inputs)) > AHEAD_BYTES
        return not is_large and time.monotonic() >= self._ahead_at

    def _woken_ahead(self, rows: list[tuple[Any, ...]]) -> None:
        """Send the message that a slot still needs while the ledger stores the job: whom it wakes waits for that."""
        slot_id, runner_id, by_message = rows[0] if rows else (None, None, None)
        if slot_id is None:
            self._ahead_at = time.monotonic() + AHEAD_PAUSE
        elif by_message:
            self.publish([WakeUp(slot_id, runner_id)])

    def _publish(self, answer: Answer) -> None:
        if answer.wake_ups:
            self.publish(answer.wake_ups)


def no_such_job(job: UUID) -> NotFoundError:
    """Return the error for a job that does not exist."""
    return NotFoundError(f"No such job {job}: it was never submitted to this ledger, or it was pruned.")


def _rows(connection: Connection, query: bytes, *parameters: object) -> Answer:
    cursor = connection.cursor(binary=True)
    cursor.execute(query, parameters)
    return read_answer(cursor.fetchall())


def _value(connection: Connection, query: bytes, *parameters: object) -> Any:
    row = connection.execute(query, parameters).fetchone()
    return row[0] if row else None


def _description(text: str | None) -> str:
    if text is not None and not isinstance(text, str):
        raise ArgumentError(f"The description of a cluster is a text, not {type(text).__name__}.")
    return lit.clean_text(text or "")


def _user_and_host() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"
