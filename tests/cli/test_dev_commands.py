"""`dev` runs everything on one machine as real processes, says where, and ends with a signal or with `down`."""

import json
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.program import Cli, wait_for
from tilebox_celery.embedded import down, status

WORKFLOW = Path(__file__).with_name("workflow.py")


@pytest.fixture
def alone() -> Iterator[dict[str, str]]:
    """An environment without URLs, and with a data directory of its own."""
    home = Path(tempfile.mkdtemp(prefix="tbx-dev-"))
    yield {
        "TILEBOX_CELERY_LEDGER_URL": "",
        "TILEBOX_CELERY_BROKER_URL": "",
        "TILEBOX_CELERY_HOME": str(home),
        "COLUMNS": "300",
    }
    down(home)
    shutil.rmtree(home)


def read_event(process: subprocess.Popen[str]) -> dict[str, object]:
    """Return the next JSON line of a process."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


@pytest.mark.clause("cli-16")
@pytest.mark.system
def test_dev_runs_the_servers_and_down_stops_them(cli: Cli, alone: dict[str, str]) -> None:
    """Without any URL `dev` starts the embedded stack and says where it is, and `down` stops it."""
    home = alone["TILEBOX_CELERY_HOME"]
    dev = cli.start("dev", **alone)
    assert dev.stderr is not None
    said = [next(dev.stderr) for _ in range(6)]

    dev.send_signal(signal.SIGINT)
    ended = cli.finish(dev)
    stopped, again = (cli.run("down", **alone) for _ in range(2))

    assert [line.split()[0] for line in said] == ["Ledger", "Broker", "Data", "Logs", "Cluster", "No"]
    assert said[4].split()[1] == "dev-cluster"
    assert ended.code == 0
    assert (stopped.stderr, again.stderr) == (
        f"Stopped the servers in {home}.\n",
        f"Nothing was running in {home}.\n",
    )


@pytest.mark.system
@pytest.mark.parametrize("words", [[], ["-m", "noisy", "-n", "1"]], ids=["servers", "runner"])
def test_down_ends_dev(cli: Cli, alone: dict[str, str], tmp_path: Path, words: list[str]) -> None:
    """When somebody stops the servers, `dev` says so and ends with 0, and does not start them again."""
    (tmp_path / "noisy.py").write_text("print('hello from the module')\n" + WORKFLOW.read_text())
    dev = cli.start("dev", *words, "--json", **alone)
    home = Path(alone["TILEBOX_CELERY_HOME"])

    servers = read_event(dev)
    if words:
        assert read_event(dev)["event"] == "started"
    stopped = cli.run("down", **alone)
    code = dev.wait(60)

    assert servers["event"] == "servers"
    assert (servers["home"], servers["logs"], servers["cluster"]) == (str(home), str(home / "log"), "dev-cluster")
    assert (str(servers["ledger"])[:13], str(servers["broker"])[:13]) == ("postgresql://", "redis+socket:")
    assert (stopped.code, code) == (0, 0)
    assert not status(home).running
    assert (
        cli.run("job", "list", **alone).code == 0
    )  # the worker's keeper waits for the ledger to say goodbye, and goes
    ended = cli.finish(dev)
    assert json.loads(ended.stdout.splitlines()[-1]) == {"event": "servers stopped"}
    assert "Unexpected" not in ended.stderr


@pytest.mark.system
def test_killed_supervisor_does_not_end_dev(cli: Cli, alone: dict[str, str]) -> None:
    """A crash is not `down`: `dev` stays, and its servers too."""
    dev = cli.start("dev", "--json", **alone)
    read_event(dev)
    found = status(Path(alone["TILEBOX_CELERY_HOME"]))
    assert found.supervisor_pid is not None

    subprocess.run(["kill", "-9", str(found.supervisor_pid)], check=True)

    with pytest.raises(subprocess.TimeoutExpired):
        dev.wait(3)
    dev.send_signal(signal.SIGTERM)
    assert cli.finish(dev).code == 0


@pytest.mark.system
def test_flower_beside_dev(cli: Cli, alone: dict[str, str]) -> None:
    """With --flower Flower answers on its port for as long as `dev` lives, and goes even when `dev` is killed."""
    pytest.importorskip("flower")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    dev = cli.start("dev", "--flower", "--json", **alone, FLOWER_PORT=str(port))

    def answers() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    assert read_event(dev)["event"] == "servers"
    wait_for(answers)
    dev.kill()
    dev.wait()
    wait_for(lambda: not answers())
