"""The demo as people start it: in a process of its own, with real workers, one of which may be killed."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tilebox_celery.client.client import Client
from tilebox_celery.demo.main import run_demo
from tilebox_celery.demo.results import FILES
from tilebox_celery.demo.snapshot import LOST, with_outcome
from tilebox_celery.errors import ArgumentError
from tilebox_celery.model.states import JobState


@pytest.fixture(autouse=True)
def broker(request: pytest.FixtureRequest) -> None:
    """Where there is a ledger, the broker of this run."""
    if "client" in request.fixturenames:
        request.getfixturevalue("tilebox_broker_url")


DEMO = """
import json, sys
from pathlib import Path
from tilebox_celery.demo.main import run_demo
sys.exit(run_demo(out=Path(sys.argv[1]), **json.loads(sys.argv[2])))
"""


def start_demo(folder: Path, **arguments: Any) -> subprocess.Popen[str]:
    """Start the demo without a terminal."""
    command = [sys.executable, "-c", DEMO, str(folder), json.dumps(arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish_demo(folder: Path, **arguments: Any) -> tuple[dict[str, Any], str]:
    """Run the demo to its good end: what it told programs, and what it told people."""
    with start_demo(folder, json=True, **arguments) as demo:
        output, errors = demo.communicate()
    assert demo.returncode == 0, errors
    return json.loads(output), errors


def workers_of(folder: Path) -> list[int]:
    """Processes that have the cache of a demo among their arguments."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue  # it has just ended
            if any(each.startswith(os.fsencode(folder / "cache-")) for each in arguments):
                found.append(int(entry.name))
    return found


@pytest.mark.system
def test_demo_prints_one_json_document(client: Client, tmp_path: Path) -> None:
    """Two workers compute the scene; standard output is one JSON document, and the files are where it says."""
    told, progress = finish_demo(tmp_path, pace=0.02)

    assert told["state"] == "COMPLETED"
    assert told["tasks"] == {"total": 120, "retried": 1, "repeated": 0, "lost": 0}
    assert told["identical"]
    assert told["problems"] == []
    assert set(told["files"]) == set(FILES)
    assert all(Path(path).stat().st_size for path in told["files"].values())
    assert [worker["exit_code"] for worker in told["workers"]] == [0, 0]
    assert "2 workers are ready" in progress
    assert client.jobs().find(told["job"]).state is JobState.COMPLETED
    assert workers_of(tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES, "worker-1.log", "worker-2.log"])


@pytest.mark.system
def test_killed_worker_costs_one_repeat(client: Client, tmp_path: Path) -> None:
    """With kill, a worker dies by SIGKILL in mid-mosaic: one task runs again, none is lost, the files are the same."""
    told, progress = finish_demo(tmp_path, kill=True, pace=0.2)

    assert told["tasks"] == {"total": 120, "retried": 1, "repeated": 1, "lost": 0}
    assert told["identical"]
    assert [worker["exit_code"] for worker in told["workers"] if worker["killed"]] == [-signal.SIGKILL]
    assert [worker["exit_code"] for worker in told["workers"] if not worker["killed"]] == [0, 0]
    (repeated,) = with_outcome(client.jobs().iter_tasks(told["job"]), LOST)
    assert repeated.display.split()[0] == "Strip"
    assert "kill -9" in progress
    assert workers_of(tmp_path) == []


@pytest.mark.system
@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGINT, 130, id="INT"),
        pytest.param(signal.SIGTERM, 143, id="TERM"),
        pytest.param(signal.SIGHUP, 129, id="HUP", marks=pytest.mark.long),  # a closed terminal below sends it, too
    ],
)
def test_signal_leaves_nothing_behind(client: Client, tmp_path: Path, number: signal.Signals, code: int) -> None:
    """A signal cancels the job, drains the workers and removes the cache; a retry would find the cluster of the run."""
    with start_demo(tmp_path, pace=0.2) as demo:
        assert demo.stdout is not None
        seen = []
        for line in demo.stdout:
            seen.append(line)
            if "ReadQuadrant" in line:
                demo.send_signal(number)
                break
        seen += demo.stdout.readlines()

    assert demo.returncode == code
    assert seen[-1] == "Stopped.\n"
    (job,) = client.jobs().query()
    assert job.state is JobState.CANCELED
    assert workers_of(tmp_path) == []
    assert [cluster.display_name for cluster in client.clusters().all()] == ["demo"]  # a retry needs it
    assert list(tmp_path.glob("cache-*")) == []


@pytest.mark.system
def test_closed_terminal_leaves_nothing_behind(client: Client, tmp_path: Path) -> None:
    """When the terminal goes away there is nobody to tell, and everything is cleared all the same."""
    with start_demo(tmp_path, pace=0.2) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "ReadQuadrant" in line:
                break
        demo.send_signal(signal.SIGHUP)
        demo.stdout.close()

    assert demo.returncode == 129
    assert [job.state for job in client.jobs().query()] == [JobState.CANCELED]
    assert len(client.clusters().all()) == 1  # a retry needs it


@pytest.mark.system
def test_orphaned_workers_drain(client: Client, tmp_path: Path) -> None:
    """When the demo itself is killed, its workers finish what they run and go."""
    with start_demo(tmp_path, pace=0.2) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "are ready" in line:
                break
        orphans = [os.pidfd_open(pid) for pid in workers_of(tmp_path)]
        demo.kill()
        ended = [select.select([orphan], [], [], 60)[0] for orphan in orphans]

    assert len(orphans) == 2
    assert all(ended)
    for orphan in orphans:
        os.close(orphan)
    killed = [job.id for job in client.jobs().query()]
    finish_demo(tmp_path, pace=0.02)
    states = {job.id: job.state for job in client.jobs().query()}
    canceled = dict.fromkeys(killed, JobState.CANCELED)  # by the next run, which cannot know whether they go on
    assert states == canceled | dict.fromkeys(states.keys() - canceled.keys(), JobState.COMPLETED)
    assert len(states) == len(killed) + 1


@pytest.mark.system
def test_ledger_is_enough(client: Client, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With a ledger and no broker the demo comes to its good end."""
    monkeypatch.delenv("TILEBOX_CELERY_BROKER_URL")

    told, _ = finish_demo(tmp_path, pace=0.02)

    assert (told["state"], told["tasks"]["total"]) == ("COMPLETED", 120)


def test_folder_that_is_a_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be made is named in one sentence, before any server is asked."""
    monkeypatch.setenv("TILEBOX_CELERY_LEDGER_URL", "postgresql://nobody@127.0.0.1:1/none")
    monkeypatch.setenv("TILEBOX_CELERY_BROKER_URL", "redis://127.0.0.1:1")
    (tmp_path / "file").touch()

    with pytest.raises(ArgumentError, match=r"The folder .*/file/out cannot be used: Not a directory\."):
        run_demo(out=tmp_path / "file" / "out")


def test_missing_extras_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Without the libraries of the demo it ends with 1 and says what to install."""
    monkeypatch.setitem(sys.modules, "rasterio", None)

    code = run_demo(out=tmp_path)

    assert code == 1
    assert capsys.readouterr().out == 'The demo needs rasterio: pip install "tilebox-celery[embedded,demo]"\n'
