"""The same promises on RabbitMQ, whichever way runners want to be woken."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from fleet import Fleet, until
from kombu.utils.uuid import uuid
from workflow import Fan, Row

from tests.project.rabbitmq_server import TOOLS, rabbitmq_server
from tilebox_celery.dispatch.app import WAKE_TASK, make_app, queue_name
from tilebox_celery.settings import Settings
from tilebox_celery.workflows import Client

pytestmark = [pytest.mark.system, pytest.mark.rabbitmq, pytest.mark.xdist_group("rabbitmq")]
WAYS = ["notify", "broker"]


@pytest.fixture(scope="module")
def server_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server's files lie."""
    return tmp_path_factory.mktemp("rabbitmq") / "server"


@pytest.fixture(scope="module")
def amqp_url(server_folder: Path) -> Iterator[str]:
    """A RabbitMQ with our settings."""
    with rabbitmq_server(server_folder) as url:
        yield url


@pytest.fixture
def fleet(ledger_url: str, cluster: object, amqp_url: str, tmp_path: Path) -> Iterator[Fleet]:
    """Workers on a ledger of this test and on RabbitMQ."""
    client = Client(settings=Settings(ledger_url=ledger_url, broker_url=amqp_url))
    fleet = Fleet(client, ledger_url, amqp_url, tmp_path)
    yield fleet
    fleet.stop()
    client.close()


def control(server_folder: Path, amqp_url: str, *command: str) -> None:
    """Call rabbitmqctl for the server of these tests."""
    port = amqp_url.rpartition(":")[2].partition("/")[0]
    environment = {
        "HOME": str(server_folder),
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_NODENAME": f"tilebox-{port}@localhost",
        "ERL_EPMD_PORT": epmd_port(server_folder),
    }
    subprocess.run([TOOLS / "rabbitmqctl", *command], env=environment, check=True, capture_output=True, timeout=90)


def epmd_port(server_folder: Path) -> str:
    """Return the port of the server's own name service, from the environment of the running server."""
    pid = (server_folder / "pid").read_text().strip()
    variables = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(entry.partition("=")[::2] for entry in variables if entry)["ERL_EPMD_PORT"]


def ping(amqp_url: str) -> object:
    """Return the answers of the workers that listen, asked on a new connection; Celery's pool may hold a broken one."""
    app = make_app("asking", amqp_url)
    with app.connection_for_write() as connection:
        return app.control.ping(timeout=1.0, connection=connection)


@pytest.mark.parametrize("wake_by", WAYS)
def test_fans_and_chains(fleet: Fleet, wake_by: str) -> None:
    """A fan and a chain on two workers: each task runs once."""
    fleet.start(TILEBOX_CELERY_WAKE_BY=wake_by)
    fleet.start("--pool", "threads", TILEBOX_CELERY_WAKE_BY=wake_by)

    jobs = [fleet.client.jobs().submit("fan", Fan(30, 0.02, "fan")), fleet.client.jobs().submit("row", Row(20))]

    assert [job.wait(60).state for job in jobs] == ["COMPLETED"] * 2
    fleet.check_effects(*(f"fan{i}" for i in range(30)), "fanjoin", *map(str, range(20)))
    fleet.check_ledger()


def test_messages_alone_wake(fleet: Fleet) -> None:
    """With the keeper stopped nobody sweeps: one job after another is started by its message."""
    worker = fleet.start(TILEBOX_CELERY_WAKE_BY="broker", TILEBOX_CELERY_LEASE="120")
    keeper = until(lambda: fleet.keeper(worker))
    until(lambda: fleet.query("select bool_and(state = 'idle') from tbx.slots where state <> 'gone'")[0][0])
    keeper.suspend()

    jobs = [fleet.client.jobs().submit("fan", Fan(2, 0.0, f"{i}-")).wait(20) for i in range(5)]

    assert [job.state for job in jobs] == ["COMPLETED"] * 5
    fleet.check_ledger()


def test_garbage_in_the_queue(fleet: Fleet) -> None:
    """What is no message, or none of ours, is dropped, and the worker goes on."""
    worker = fleet.start(TILEBOX_CELERY_WAKE_BY="broker")
    [(runner_id,)] = fleet.query("select id from tbx.runners")
    queue = queue_name(runner_id)
    app = make_app("forger", fleet.environment["TILEBOX_CELERY_BROKER_URL"])
    with app.connection_for_write() as connection:
        producer = app.amqp.Producer(connection, auto_declare=False)
        for body in (b"\xff\xfe", b"no JSON", b"[1, 2]", b"", b"{}", b"5"):
            for kind in ("application/json", "application/x-python-serialize", "text/plain"):
                for headers in (
                    {},
                    {"task": WAKE_TASK, "id": "1"},
                    {"task": ["x"], "id": "2"},
                    {"task": "payroll.pay"},
                ):
                    producer.publish(
                        body, exchange="", routing_key=queue, headers=headers,
                        content_type=kind, content_encoding="utf-8",
                    )  # fmt: skip
        for wrong in ("text", 2**80, None, {"a": 1}, 1.5):
            message = app.amqp.create_task_message(uuid(), WAKE_TASK, (wrong,), {})
            producer.publish(message.body, exchange="", routing_key=queue, headers=message.headers, serializer="json")

    jobs = [fleet.client.jobs().submit("fan", Fan(6, 0.05, f"{i}-")).wait(60) for i in range(2)]

    assert [job.state for job in jobs] == ["COMPLETED"] * 2
    assert worker.poll() is None
    fleet.check_ledger()


@pytest.mark.parametrize("wake_by", WAYS)
def test_a_server_stopped_and_started_in_mid_job(
    fleet: Fleet, server_folder: Path, amqp_url: str, wake_by: str
) -> None:
    """The broker stops in mid-job and comes back: the job is done, each task once, and messages wake again."""
    fleet.start(TILEBOX_CELERY_WAKE_BY=wake_by)
    job = fleet.client.jobs().submit("fan", Fan(16, 0.3))
    fleet.until_left("end")

    control(server_folder, amqp_url, "stop_app")
    late = fleet.client.jobs().submit("late", Fan(3, 0.0, "late"))
    if wake_by == "notify":
        assert late.wait(30).state == "COMPLETED"
    control(server_folder, amqp_url, "start_app")

    assert (job.wait(60).state, late.wait(60).state) == ("COMPLETED", "COMPLETED")
    fleet.check_effects(*map(str, range(16)), "join", *(f"late{i}" for i in range(3)), "latejoin")
    until(lambda: ping(amqp_url))
    fleet.check_ledger()


def test_a_server_that_says_nothing_does_not_hold_a_client(fleet: Fleet, server_folder: Path, amqp_url: str) -> None:
    """The broker is stopped, its connections stand: submitting and closing do not wait for it; jobs run afterwards."""
    fleet.start(TILEBOX_CELERY_WAKE_BY="broker")
    fleet.client.jobs().submit("before", Fan(2, 0.0, "before")).wait(30)
    server = psutil.Process(int((server_folder / "pid").read_text()))

    server.suspend()
    try:
        started = time.monotonic()
        jobs = [fleet.client.jobs().submit("meanwhile", Fan(2, 0.0, f"meanwhile{i}")) for i in range(3)]
        fleet.client.close()
        assert time.monotonic() - started < 30
    finally:
        server.resume()

    assert [job.wait(60).state for job in jobs] == ["COMPLETED"] * 3
    fleet.check_ledger()
