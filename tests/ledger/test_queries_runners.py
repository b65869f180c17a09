"""The list of runners, and what is deployed where."""

from datetime import timedelta

from tilebox_celery.ledger import runners
from tilebox_celery.ledger.open import Ledger
from tilebox_celery.ledger.queries_runners import Deployment, list_deployments, list_runners
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.postgres.connection import Connection
from tilebox_celery.settings import Settings


def register(connection: Connection, cluster: str, *tasks: str, slots: int = 1) -> int:
    """Register a runner with idle slots."""
    runner = runners.register_runner(
        connection,
        cluster,
        [TaskIdentifier.parse(task) for task in tasks],
        name=f"runner of {len(tasks)}",
        host="host",
        pid=7,
        code_version="1",
        wake_by="notify",
        slots=slots,
    )
    for number in range(slots):
        runners.register_slot(connection, runner, number, 100 + number, timedelta(seconds=30), busy=number == 0)
    return runner


def test_runners_show_tasks_and_slots(ledger_url: str, connection: Connection, cluster: Cluster) -> None:
    """A runner is listed with its cluster, its tasks, and its slots with their leases, until it has left."""
    register(connection, cluster.slug, "Tile v1.3", "Mosaic", slots=2)
    gone = register(connection, cluster.slug, "Other")
    draining = register(connection, cluster.slug, "A", "B", "C")
    runners.drain_runner(connection, gone, gone=True)
    runners.drain_runner(connection, draining, gone=False)
    ledger = Ledger(ledger_url, Settings())

    with ledger.reading.connection() as lent:
        first, second = list_runners(lent)
        elsewhere = list_runners(lent, "nowhere")

    ledger.close()
    assert (first.name, first.cluster, first.host, first.pid, first.state) == (
        "runner of 2",
        cluster.slug,
        "host",
        7,
        "live",
    )
    assert [str(task) for task in first.tasks] == ["Mosaic v0.0", "Tile v1.3"]
    assert [(slot.number, slot.pid, slot.state, slot.is_alive) for slot in first.slots] == [
        (0, 100, "busy", True),
        (1, 101, "idle", True),
    ]
    assert first.is_alive
    assert first.seen_at <= first.slots[0].lease_until
    assert (second.name, second.state) == ("runner of 3", "draining")
    assert elsewhere == []


def test_deployments_are_those_of_live_runners(ledger_url: str, connection: Connection, cluster: Cluster) -> None:
    """What is deployed is what live runners with a lease registered, once each, with all versions."""
    register(connection, cluster.slug, "Tile v1.10", "Mosaic")
    register(connection, cluster.slug, "Tile v1.9", slots=3)
    silent = register(connection, cluster.slug, "Silent")
    connection.execute(
        "update tbx.leases l set until = tbx.now() from tbx.slots s where s.id = l.slot_id and s.runner_id = %s",
        (silent,),
    )
    runners.drain_runner(connection, register(connection, cluster.slug, "Draining"), gone=False)
    ledger = Ledger(ledger_url, Settings())

    with ledger.reading.connection() as lent:
        found = list_deployments(lent)

    ledger.close()
    tasks = [TaskIdentifier("Mosaic"), TaskIdentifier("Tile", "v1.9"), TaskIdentifier("Tile", "v1.10")]
    assert found == {cluster.slug: Deployment(runners=2, slots=4, tasks=tasks)}
