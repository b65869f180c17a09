"""The files of ``broker_config/`` are what really runs, and every line of them has its reason."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from amqp.exceptions import AccessRefused
from celery import Celery
from celery.app.defaults import NAMESPACES, flatten
from kombu import Connection

from tests.project.checkout import ROOT, plant
from tests.project.rabbitmq_server import rabbitmq_server
from tilebox_celery.errors import InternalServerError
from tilebox_celery.settings_files import config_module, config_path

FILES = ["celeryconfig.py", "flowerconfig.py", "rabbitmq.conf", "valkey.conf"]


@pytest.mark.parametrize("name", FILES)
def test_every_setting_has_a_reason(name: str) -> None:
    """In each settings file a comment stands above every setting, or above the settings that share it."""
    lines = config_path(name).read_text(encoding="utf-8").splitlines()

    assert list(settings_without_reason(lines)) == []


def test_setting_without_reason_is_found() -> None:
    """A setting below a blank line or a headline has no reason of its own."""
    lines = ["# why", "a = 1", "b = 1", "", "c = 1", "# --- Headline ---", "d = 1"]

    assert list(settings_without_reason(lines)) == ["c = 1", "d = 1"]


def settings_without_reason(lines: list[str]) -> Iterator[str]:
    """Yield the settings that follow a blank line or a headline instead of a comment."""
    reason = False
    for line in lines:
        if line.startswith("#") or not line.strip():
            reason = line.startswith("#") and not line.startswith("# ---")
        elif not reason and not line.startswith('"""'):
            yield line


def test_celery_knows_every_setting() -> None:
    """No name in celeryconfig.py is misspelled: Celery would ignore it in silence."""
    settings = {name for name in vars(config_module("celeryconfig.py")) if not name.startswith("_")}

    assert settings <= dict(flatten(NAMESPACES)).keys()


def test_celery_loads_the_file() -> None:
    """A Celery app that loads the file accepts JSON alone, acknowledges early and keeps no results."""
    app = Celery("tests")

    app.config_from_object(config_module("celeryconfig.py"))

    conf = app.conf
    assert (conf.accept_content, conf.task_acks_late, conf.result_backend) == (["json"], False, None)


def test_files_are_found_in_a_wheel_and_in_a_checkout(tmp_path: Path) -> None:
    """The copy inside an installed package is used, or else the folder beside the package."""
    source = (ROOT / "tilebox_celery" / "settings_files.py").read_text(encoding="utf-8")
    code = {"tilebox_celery/__init__.py": "", "tilebox_celery/settings_files.py": source}
    code["tilebox_celery/errors.py"] = (ROOT / "tilebox_celery" / "errors.py").read_text(encoding="utf-8")
    wheel = plant(tmp_path / "wheel", {**code, "tilebox_celery/broker_config/x.conf": ""})
    checkout = plant(tmp_path / "checkout", {**code, "broker_config/x.conf": ""})

    found = [find_in(root, "x.conf") for root in (wheel, checkout)]

    assert found == [wheel / "tilebox_celery/broker_config/x.conf", checkout / "broker_config/x.conf"]


def test_missing_file_is_named() -> None:
    """A file that the installation lacks is named, with what to do."""
    with pytest.raises(InternalServerError, match=r"lacks broker_config/nothing\.conf: install tilebox-celery again"):
        config_path("nothing.conf")


def find_in(root: Path, name: str) -> Path:
    """Ask the package that lies in a folder where a settings file is."""
    code = f"from tilebox_celery.settings_files import config_path; print(config_path({name!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, check=True, capture_output=True, text=True)
    return Path(done.stdout.strip())


@pytest.fixture(scope="module")
def amqp_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A RabbitMQ server that has loaded our two files."""
    with rabbitmq_server(tmp_path_factory.mktemp("rabbitmq") / "server") as url:
        yield url


@pytest.mark.rabbitmq
def test_rabbitmq_takes_wake_ups_as_its_user(amqp_url: str) -> None:
    """With rabbitmq.conf and definitions.json loaded, the user tilebox can declare a runner's queue and use it."""
    with Connection(amqp_url) as connection, connection.SimpleQueue("tbx.0a1b") as queue:
        queue.put({"slot": 1}, serializer="json")

        message = queue.get(timeout=10)

        message.ack()
        assert message.payload == {"slot": 1}


@pytest.mark.rabbitmq
def test_rabbitmq_refuses_other_queues(amqp_url: str) -> None:
    """The user tilebox cannot touch a queue of somebody else on the same server."""
    with Connection(amqp_url) as connection, pytest.raises(AccessRefused, match="refused for user 'tilebox'"):
        connection.SimpleQueue("payroll")


WORKER_APP = """
from celery import Celery
from tilebox_celery.settings_files import config_module

app = Celery("permissions", broker={url!r})
app.config_from_object(config_module("celeryconfig.py"))
app.conf.update(worker_disable_prefetch=False, task_default_queue="tbx.0a1c")

@app.task(name="greet")
def greet(name):
    return name
"""


@pytest.mark.rabbitmq
@pytest.mark.system
def test_rabbitmq_lets_a_worker_run_answer_and_report(amqp_url: str, tmp_path: Path) -> None:
    """A Celery worker with our settings runs a task, answers a ping and sends events under these permissions."""
    plant(tmp_path, {"permissions.py": WORKER_APP.format(url=amqp_url)})
    app = Celery("asking", broker=amqp_url, set_as_current=False)
    app.config_from_object(config_module("celeryconfig.py"))
    app.conf.task_default_queue = "tbx.0a1c"
    events: list[str] = []
    command = [sys.executable, "-m", "celery", "-A", "permissions", "worker", "-E", "--pool", "solo", "-l", "warning"]
    with subprocess.Popen(command, cwd=tmp_path) as worker, app.connection_for_read() as connection:
        try:
            answers = next(answer for answer in (app.control.ping(timeout=1) for _ in range(30)) if answer)
            receiver = app.events.Receiver(connection, handlers={"*": lambda event: events.append(event["type"])})
            with receiver.consumer_context(wakeup=False) as (listening, _, _):
                app.send_task("greet", args=["World"])
                while "task-succeeded" not in events:
                    listening.drain_events(timeout=30)
        finally:
            worker.terminate()

    assert [list(answer.values()) for answer in answers] == [[{"ok": "pong"}]]
    assert worker.returncode == 0
