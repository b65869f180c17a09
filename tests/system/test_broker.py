"""The broker is emptied, killed and away; its messages are lost, repeated and garbage: jobs are done all the same."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fleet import Fleet, until
from kombu.utils.json import dumps
from kombu.utils.uuid import uuid
from servers import Valkey
from workflow import Fan

from tilebox_celery.dispatch.app import WAKE_TASK, make_app, queue_name
from tilebox_celery.dispatch.publisher import Publisher
from tilebox_celery.ledger.calls import WakeUp
from tilebox_celery.settings import Settings
from tilebox_celery.workflows import Client

pytestmark = pytest.mark.system
LISTENING = (
    "select count(*) from pg_stat_activity"
    " where application_name = 'tilebox-celery listener' and datname = current_database()"
)
BY_MESSAGE = {"TILEBOX_CELERY_WAKE_BY": "broker"}


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A broker of this test alone."""
    valkey = Valkey(tmp_path / "v").start()
    yield valkey
    valkey.kill()


@pytest.fixture
def fleet(ledger_url: str, cluster: object, valkey: Valkey, tmp_path: Path) -> Iterator[Fleet]:
    """Workers on the ledger and the broker of this test."""
    client = Client(settings=Settings(ledger_url=ledger_url, broker_url=valkey.url))
    fleet = Fleet(client, ledger_url, valkey.url, tmp_path)
    yield fleet
    fleet.stop()
    client.close()


@contextmanager
def meanwhile(act: Callable[[], object], pause: float = 0.02) -> Iterator[None]:
    """Do something again and again beside a block."""
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(pause):
            act()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def steps(count: int, prefix: str = "") -> list[str]:
    """Return the names of the steps of a fan."""
    return [*(f"{prefix}{i}" for i in range(count)), f"{prefix}join"]


def all_slots(fleet: Fleet) -> list[WakeUp]:
    """Return wake-ups for all slots there ever were."""
    return [WakeUp(*row) for row in fleet.query("select id, runner_id from tbx.slots")]


def queues(fleet: Fleet) -> list[str]:
    """Return the queues of all runners."""
    return [queue_name(row[0]) for row in fleet.query("select id from tbx.runners order by id")]


def test_a_broker_emptied_in_mid_job_costs_nothing(fleet: Fleet, valkey: Valkey) -> None:
    """FLUSHALL again and again: runners that live by messages alone do every task once, and take the next job."""
    fleet.start(**BY_MESSAGE)

    with valkey.ask() as asking, meanwhile(asking.flushall):
        job = fleet.client.jobs().submit("fan", Fan(12, 0.1)).wait(60)
    after = fleet.client.jobs().submit("after", Fan(4, 0.0, "after")).wait(30)

    assert (job.state, after.state) == ("COMPLETED", "COMPLETED")
    fleet.check_effects(*steps(12), *steps(4, "after"))
    fleet.check_ledger()


def test_a_broker_killed_in_mid_job_and_started_again(fleet: Fleet, valkey: Valkey) -> None:
    """kill -9 of the broker: listeners go on without it; runners that live by messages go on when it is back."""
    fleet.start(**BY_MESSAGE)
    job = fleet.client.jobs().submit("fan", Fan(8, 0.2))
    fleet.until_left("end")

    valkey.kill()
    fleet.start(**BY_MESSAGE)  # one that never saw it
    until(lambda: "is away" in fleet.logged())
    late = fleet.client.jobs().submit("late", Fan(3, 0.0, "late"))
    valkey.start()

    assert (job.wait(60).state, late.wait(60).state) == ("COMPLETED", "COMPLETED")
    fleet.check_effects(*steps(8), *steps(3, "late"))
    fleet.check_ledger()
    assert "acknowledge" not in fleet.logged()  # Celery's lines on messages that are acknowledged late: ours are not


def test_a_whole_job_without_a_broker(fleet: Fleet, valkey: Valkey) -> None:
    """With the broker down, a worker from before and one started since do a job together; later both hear it again."""
    first = fleet.start()
    valkey.kill()
    second = fleet.start()
    until(lambda: fleet.query(LISTENING) == [(2,)])

    job = fleet.client.jobs().submit("fan", Fan(24, 0.15)).wait(60)

    assert job.state == "COMPLETED"
    children = [{str(slot.pid) for slot in fleet.slots(worker)} for worker in (first, second)]
    ended = {line.split()[2] for line in fleet.effects() if line.startswith("end")}
    assert all(ended & pids for pids in children)
    fleet.check_effects(*steps(24))
    fleet.check_ledger()

    valkey.start()
    app = make_app("asking", valkey.url)
    until(lambda: len(app.control.ping(timeout=1.0)) == 2)


def test_lost_wake_ups_cost_time_alone(fleet: Fleet, valkey: Valkey, ledger_url: str) -> None:
    """A client whose messages go nowhere, and queues that are deleted all the time: the sweep wakes again."""
    fleet.start(**BY_MESSAGE)
    deaf = Client(settings=Settings(ledger_url=ledger_url, broker_url=f"{valkey.url}?virtual_host=5"))

    with valkey.ask() as asking, meanwhile(lambda: asking.delete(*queues(fleet))):
        jobs = [deaf.jobs().submit("fan", Fan(3, 0.0, f"lost{i}-")).wait(60) for i in range(3)]
    deaf.close()

    assert [job.state for job in jobs] == ["COMPLETED"] * 3
    fleet.check_effects(*(name for i in range(3) for name in steps(3, f"lost{i}-")))
    fleet.check_ledger()


def test_repeated_and_shuffled_wake_ups_start_nothing_twice(fleet: Fleet, valkey: Valkey) -> None:
    """Each wake-up five times in any order, old ones and those of other slots among them: every task runs once."""
    fleet.start(**BY_MESSAGE)
    fleet.start(**BY_MESSAGE)
    publish = Publisher(valkey.url)
    dice = random.Random(7)

    def repeat() -> None:
        wake_ups = all_slots(fleet) * 5
        dice.shuffle(wake_ups)
        publish([replace_slot(one, dice.choice(wake_ups).slot_id) for one in wake_ups])

    with meanwhile(repeat, 0.1):
        job = fleet.client.jobs().submit("fan", Fan(30, 0.05)).wait(60)
        row = fleet.client.jobs().submit("row", Fan(1, 0.0, "more")).wait(60)

    assert (job.state, row.state) == ("COMPLETED", "COMPLETED")
    fleet.check_effects(*steps(30), *steps(1, "more"))
    fleet.check_ledger()


def replace_slot(wake_up: WakeUp, slot_id: int) -> WakeUp:
    """Return a wake-up that names another slot."""
    return wake_up._replace(slot_id=slot_id)


GARBAGE = [
    b"\xff\xfe no text",
    b"no JSON",
    b"",
    b"[1, 2]",
    b"5",
    b"null",
    b'"text"',
    b"{}",
    b"[" * 100_000,
    b'{"properties": {}}',
    b'{"properties": null, "body": null}',
    b'{"body": "e30=", "properties": {"delivery_tag": "1", "body_encoding": "base64"}, "headers": null}',
    b'{"body": 7, "properties": {"delivery_tag": "2", "body_encoding": "rot13"}, "headers": {"task": {}}}',
    dumps({"properties": {"delivery_tag": "3"}, "headers": {"task": ["x"], "id": "3"}, "body": "x"}).encode(),
    b"\x80\x04\x95 a pickle",
    b"x" * 2_000_000,
]


def test_a_worker_survives_garbage_in_its_queues(fleet: Fleet, valkey: Valkey) -> None:
    """Bytes, JSON that is no message, unknown tasks and wrong arguments: the worker drops them and takes the next."""
    worker = fleet.start(**BY_MESSAGE)
    [queue] = queues(fleet)
    app = make_app("forger", valkey.url)
    with valkey.ask() as asking:
        for garbage in GARBAGE * 2:
            asking.lpush(queue, garbage)
            asking.lpush("celery", garbage)
        with app.connection_for_write() as connection:
            producer = app.amqp.Producer(connection, auto_declare=False)

            def send(name: str, *args: object, **kwargs: object) -> None:
                message = app.amqp.create_task_message(uuid(), name, args, kwargs)
                producer.publish(
                    message.body, exchange="", routing_key=queue, headers=message.headers, serializer="json"
                )

            send("payroll.pay", 1)
            for wrong in ("text", 2**80, -1, None, [1], {"a": 1}, 1.5, True, "\x00"):
                send(WAKE_TASK, wrong)
            send(WAKE_TASK, 1, 2, 3)
            send(WAKE_TASK, 1, x=1)
            producer.publish("no list", routing_key=queue, exchange="", headers={"task": WAKE_TASK, "id": "4"})
            producer.publish(
                b"\x80\x04", content_type="application/x-python-serialize", content_encoding="binary",
                routing_key=queue, exchange="", headers={"task": WAKE_TASK, "id": "5"},
            )  # fmt: skip
        until(lambda: asking.llen(queue) == 0)

        jobs = [fleet.client.jobs().submit("fan", Fan(6, 0.05, f"{i}-")).wait(60) for i in range(2)]

        assert asking.llen("celery") == 2 * len(GARBAGE)
    assert [job.state for job in jobs] == ["COMPLETED"] * 2
    assert worker.poll() is None
    assert "is no wake-up" in fleet.logged()
    assert "Trying to re-establish" not in fleet.logged()
    fleet.check_effects(*steps(6, "0-"), *steps(6, "1-"))
    fleet.check_ledger()
