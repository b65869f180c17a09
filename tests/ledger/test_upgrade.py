"""A ledger is upgraded under runners of older code: who is let in, who is told to leave, whom the upgrade waits for."""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from tests.system.next_version import make_next
from tilebox_celery.embedded import down, start
from tilebox_celery.errors import LedgerVersionMismatch
from tilebox_celery.ledger import runners
from tilebox_celery.ledger.calls import SlotCalls, Wish, new_claim_id
from tilebox_celery.ledger.open import ledger_schema, open_ledger, prepare_embedded
from tilebox_celery.ledger.upgrade import OlderRunner, upgrade_ledger
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.postgres.connection import Connection, connect
from tilebox_celery.postgres.migrate import Schema
from tilebox_celery.settings import Settings
from tilebox_celery.testing import DatabaseClock
from tilebox_celery.workflows import Client, ExecutionContext, Task

LEASE = timedelta(seconds=30)
NO_WAIT = timedelta(0)
RAISE = "update tbx.meta set value = '2' where key = 'ledger.minimum'"


class Tile(Task):
    """Something to claim."""

    def execute(self, context: ExecutionContext) -> None:
        raise NotImplementedError("is only claimed")


def register(connection: Connection, cluster: Cluster, version: int | None = None) -> int:
    """Make a runner known whose code has a schema version."""
    return runners.register_runner(
        connection,
        cluster.slug,
        [TaskIdentifier("Tile")],
        name="runner",
        host="here",
        pid=7,
        code_version="0",
        wake_by="notify",
        slots=1,
        schema_version=version,
    )


def claim(connection: Connection, runner_id: int) -> tuple[int, str | None]:
    """Claim for a new slot; return the number of tasks and the signal."""
    slot_id = runners.register_slot(connection, runner_id, 0, 7, LEASE, busy=True)
    answer = SlotCalls(connection, slot_id).claim(Wish(new_claim_id(), 0, 8, 1, [], []))
    return len(answer.tasks), answer.signal


def states(connection: Connection) -> list[str]:
    """Return the states of the runners, in the order in which they came."""
    return [state for (state,) in connection.execute("select state from tbx.runners order by id").fetchall()]


def next_schema(folder: Path, monkeypatch: pytest.MonkeyPatch, *, older_workers_drain: bool) -> Schema:
    """Return the schema of a next version."""
    monkeypatch.syspath_prepend(folder)
    for name in [name for name in sys.modules if name.startswith("next_ledger")]:
        monkeypatch.delitem(sys.modules, name)
    return make_next(folder, older_workers_drain=older_workers_drain)


@pytest.fixture
def marked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Schema:
    """The schema of a next version that older workers cannot live with."""
    return next_schema(tmp_path, monkeypatch, older_workers_drain=True)


def test_older_code_is_not_let_in(connection: Connection, client: Client, cluster: Cluster) -> None:
    """A runner of older code is draining from the start and claims nothing; one of this version claims."""
    client.jobs().submit("job", Tile())
    connection.execute(RAISE)

    old = claim(connection, register(connection, cluster, 1))
    new = claim(connection, register(connection, cluster, 2))

    assert (old, new[0]) == ((0, "d"), 1)
    assert states(connection) == ["draining", "live"]


def test_code_says_its_own_version(connection: Connection, cluster: Cluster) -> None:
    """A runner that registers without more words has the schema version of this code."""
    register(connection, cluster)

    assert connection.execute("select schema_version from tbx.runners").fetchall() == [(ledger_schema().version,)]


@pytest.mark.parametrize("state", ["live", "gone"])
def test_heartbeat_tells_older_code_to_leave(connection: Connection, cluster: Cluster, state: str) -> None:
    """A runner of older code that nobody has marked, or that had been given up, is draining after its heartbeat."""
    runner_id = register(connection, cluster, 1)
    slot_id = runners.register_slot(connection, runner_id, 0, 7, LEASE, busy=False)
    connection.execute("update tbx.runners set state = %s", (state,))
    connection.execute(RAISE)

    pulse = runners.heartbeat(connection, runner_id, [slot_id], LEASE)

    assert (pulse.state, states(connection)) == ("draining", ["draining"])


def test_unmarked_migration_disturbs_nobody(
    connection: Connection, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration that older workers can live with is applied at once beside them."""
    schema = next_schema(tmp_path, monkeypatch, older_workers_drain=False)
    register(connection, cluster, 1)

    applied = upgrade_ledger(connection, schema, wait=NO_WAIT)

    assert (applied[0], states(connection)) == ("0002_next", ["live"])


def test_wait_ends_when_the_older_have_left(connection: Connection, cluster: Cluster, marked: Schema) -> None:
    """Who is waited for is told; when that runner leaves, the upgrade goes on; newer ones stay."""
    old, _ = register(connection, cluster, 1), register(connection, cluster, 2)
    told: list[OlderRunner] = []

    def leave(older: Sequence[OlderRunner]) -> None:
        told.extend(older)
        runners.drain_runner(connection, old, gone=True)

    applied = upgrade_ledger(connection, marked, wait=timedelta(seconds=30), tell=leave)

    assert (told, applied[0]) == ([OlderRunner("here", 7, 1, ())], "0002_next")
    assert states(connection) == ["gone", "live"]


def test_who_stays_is_named(connection: Connection, client: Client, cluster: Cluster, marked: Schema) -> None:
    """Who is waited for is told once; after the wait no table has changed, and --now changes them."""
    runner_id = register(connection, cluster, 1)
    job = client.jobs().submit("job", Tile())
    claim(connection, runner_id)
    told: list[Sequence[OlderRunner]] = []

    with pytest.raises(LedgerVersionMismatch) as refused:
        upgrade_ledger(connection, marked, wait=timedelta(seconds=0.5), tell=told.append)
    version, said = marked.state(connection)[0], states(connection)
    forced = upgrade_ledger(connection, marked, wait=NO_WAIT, now=True)

    assert f"claiming nothing more: here/7 (runs Tile of job {job.id}). Run" in str(refused.value)
    assert (len(told), version, said, forced[0]) == (1, 1, ["draining"], "0002_next")


def test_dead_runners_are_not_waited_for(
    connection: Connection, cluster: Cluster, marked: Schema, clock: DatabaseClock
) -> None:
    """A runner that has been silent for a whole lease does not hold an upgrade up."""
    register(connection, cluster, 1)
    clock.advance(timedelta(seconds=31))

    applied = upgrade_ledger(connection, marked, wait=NO_WAIT)

    assert applied[0] == "0002_next"


def test_minimum_never_falls(connection: Connection, marked: Schema) -> None:
    """An upgrade by older code, or a repeated one, leaves the minimum as it is."""
    marked.raise_minimum(connection)
    ledger_schema().raise_minimum(connection)

    assert (marked.minimum, ledger_schema().minimum, runners.wanted_version(connection)) == (2, 1, 2)


@pytest.mark.parametrize("change", ["delete from tbx.meta where key", "update tbx.meta set value = 'x' where key"])
def test_unreleased_ledger_is_refused(ledger_url: str, connection: Connection, change: str) -> None:
    """A configured ledger whose tables come from other migrations is refused when it is opened and upgraded."""
    connection.execute(f"{change} = 'ledger.history'".encode())

    with pytest.raises(LedgerVersionMismatch) as opened:
        open_ledger(Settings(ledger_url=ledger_url))
    with pytest.raises(LedgerVersionMismatch) as upgraded:
        upgrade_ledger(connection, ledger_schema(), wait=NO_WAIT)

    assert "was made by an unreleased version of tilebox-celery" in str(opened.value)
    assert str(opened.value) == str(upgraded.value)


@pytest.fixture
def home() -> Iterator[Path]:
    """A data directory of its own, with a ledger."""
    parent = Path(tempfile.mkdtemp(prefix="tbx-test-"))
    open_ledger(Settings(home=parent / "home")).close()
    yield parent / "home"
    down(parent / "home")
    shutil.rmtree(parent, ignore_errors=True)


def test_unreleased_home_is_refused(home: Path) -> None:
    """A data directory of an unreleased version is named when it is opened, with the ways out."""
    with connect(start(home, timedelta(minutes=1)).ledger_url) as connection:
        connection.execute("update tbx.meta set value = 'x' where key = 'ledger.history'")

    with pytest.raises(LedgerVersionMismatch) as refused:
        open_ledger(Settings(home=home))

    assert f"The ledger in {home} was made by an unreleased version" in str(refused.value)
    assert "'tilebox-celery down'" in str(refused.value)
    assert "TILEBOX_CELERY_HOME" in str(refused.value)


def test_embedded_ledger_waits_for_older_code(
    connection: Connection,
    cluster: Cluster,
    marked: Schema,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Opening an embedded ledger takes the same two steps, and says who is in the way."""
    register(connection, cluster, 1)
    monkeypatch.setattr("tilebox_celery.ledger.open.ledger_schema", lambda: marked)

    with pytest.raises(LedgerVersionMismatch, match="1 worker of older code is still there"):
        prepare_embedded(connection, tmp_path, NO_WAIT)

    assert (states(connection), marked.state(connection)[0]) == (["draining"], 1)
