"""The ledger is upgraded while workers of older code run: they end by themselves, and nothing is lost or repeated."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from fleet import Fleet, until
from next_version import make_next
from workflow import Fan, Row, Step

from tilebox_celery.workflows import Client

HERE = Path(__file__).parent
UPGRADE = ("-m", "tilebox_celery.cli.main", "db", "upgrade")
META = "select value from tbx.meta where key = 'ledger.' || %s"
STATES = "select state from tbx.runners where schema_version = %s"

pytestmark = pytest.mark.system


class NextVersion:
    """Processes of the next version, beside the workers of this one."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self.fleet = fleet
        self.folder = folder

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a program as the next version."""
        return subprocess.Popen(
            [sys.executable, str(HERE / "next_version.py"), *words],
            cwd=HERE,
            env={**self.fleet.environment, "NEXT_VERSION": str(self.folder)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def worker(self) -> subprocess.Popen[bytes]:
        """Start a worker of the next version."""
        words = [sys.executable, str(HERE / "next_version.py"), "workflow.py", "--concurrency", "1"]
        return self.fleet.run(words, NEXT_VERSION=str(self.folder))

    def version(self) -> int:
        """Return the version that the ledger has."""
        return int(self.fleet.query(META, "version")[0][0])

    def is_minimum_raised(self) -> bool:
        """Tell whether older workers have been told to end."""
        return self.fleet.query(META, "minimum") == [("2",)]


@pytest.fixture
def following(fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NextVersion:
    """The next version, which older workers cannot live with."""
    monkeypatch.syspath_prepend(tmp_path)
    make_next(tmp_path, older_workers_drain=True)
    for name in [name for name in sys.modules if name.startswith("next_ledger")]:
        del sys.modules[name]
    return NextVersion(fleet, tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("workflow.py", "--pool", "solo", "--concurrency", "1"), id="run_forever", marks=pytest.mark.long),
        pytest.param(("-m", "celery", "-A", "workflow:app", "worker", "-c", "2", "--pool", "prefork"), id="prefork"),
        pytest.param(
            ("-m", "celery", "-A", "workflow:app", "worker", "-c", "2", "--pool", "threads"),
            id="threads",
            marks=pytest.mark.long,
        ),
    ],
)
def test_an_upgrade_in_mid_job(fleet: Fleet, client: Client, following: NextVersion, command: Sequence[str]) -> None:
    """The running tasks end, the old worker exits 0 and says why, and the new one does the rest: each task once."""
    old = fleet.run([sys.executable, *command])
    job = client.jobs().submit("fan", Fan(8, 1.5))
    fleet.until_left("start ")

    upgrade = following.start(*UPGRADE)
    stdout, stderr = upgrade.communicate(timeout=60)

    assert (upgrade.returncode, following.version()) == (0, 2), stderr
    assert old.wait(20) == 0
    assert "1 worker of older code is ending its tasks: " in stderr
    assert "applied 0002_next" in stdout
    assert "its code has ledger schema 1, and the ledger wants 2; install the newer" in fleet.logged()
    assert 0 < fleet.count("end ") < 8
    following.worker()
    assert job.wait(60).state == "COMPLETED"
    fleet.check_effects(*map(str, range(8)), "join")
    assert fleet.query("select count(*) from tbx.attempts where outcome <> 'computed' and outcome <> 'given_back'") == [
        (0,)
    ]
    fleet.check_ledger()


def test_a_signal_still_starts_the_grace(fleet: Fleet, client: Client, following: NextVersion) -> None:
    """An old worker that ends its tasks for an upgrade gives them back when a signal tells it to hurry."""
    old = fleet.start("--concurrency", "1", TILEBOX_CELERY_GRACE="0.2")
    client.jobs().submit("slow", Step("slow", 120.0))
    fleet.until_left("start slow")
    upgrade = following.start(*UPGRADE)
    until(lambda: "and the ledger wants 2" in fleet.logged())

    old.terminate()
    code = old.wait(30)
    _, stderr = upgrade.communicate(timeout=60)

    assert (code, upgrade.returncode, following.version()) == (0, 0, 2), stderr
    assert fleet.query("select state, crashes from tbx.tasks") == [("QUEUED", 0)]


def test_idle_workers_leave_at_once(fleet: Fleet, following: NextVersion) -> None:
    """Workers without tasks leave by their next heartbeat, so the upgrade need not wait for long."""
    old = [fleet.start("--concurrency", "2"), fleet.start("--pool", "threads")]

    upgrade = following.start(*UPGRADE, "--wait", "15s")
    _, stderr = upgrade.communicate(timeout=60)

    assert (upgrade.returncode, following.version()) == (0, 2), stderr
    assert [worker.wait(20) for worker in old] == [0, 0]


def test_a_worker_that_stays_is_named(fleet: Fleet, client: Client, following: NextVersion) -> None:
    """After the wait, one sentence names worker and task; --now upgrades, and the task still has all its time."""
    old = fleet.start("--concurrency", "1", TILEBOX_CELERY_GRACE="0.2")
    job = client.jobs().submit("slow", Step("slow", 8.0))
    fleet.until_left("start slow")

    refused = following.start(*UPGRADE, "--wait", "1s")
    _, stderr = refused.communicate(timeout=60)
    version = following.version()
    forced = following.start(*UPGRADE, "--now")
    _, said = forced.communicate(timeout=60)

    assert (refused.returncode, version) == (1, 1)
    sentence = stderr.splitlines()[-1]
    assert sentence.startswith("1 worker of older code is still there, claiming nothing more: ")
    assert f"/{old.pid} (runs Step of job {job.id})" in sentence
    assert "--now" in sentence
    assert (forced.returncode, following.version()) == (0, 2), said
    assert fleet.count("end ") == 0
    assert job.wait(30).state == "COMPLETED"
    fleet.check_effects("slow")


@pytest.mark.parametrize(
    "number",
    [pytest.param(signal.SIGINT, id="ctrl-c", marks=pytest.mark.long), pytest.param(signal.SIGKILL, id="kill")],
)
def test_a_stopped_upgrade_can_be_repeated(
    fleet: Fleet, client: Client, following: NextVersion, number: signal.Signals
) -> None:
    """Between the steps, an end of the upgrade leaves the tables as they were, and a second one goes on."""
    fleet.start("--concurrency", "1")
    job = client.jobs().submit("row", Row(2, 4.0))
    fleet.until_left("start 0")

    first = following.start(*UPGRADE)
    assert first.stderr is not None
    line = first.stderr.readline()
    first.send_signal(number)
    _, rest = first.communicate(timeout=30)
    version = following.version()
    second = following.start(*UPGRADE)
    _, stderr = second.communicate(timeout=60)

    assert line.startswith("1 worker of older code is ending")
    assert (first.returncode, version) == (130 if number == signal.SIGINT else -number, 1)
    assert ("Stopped: tables and functions are as they were" in rest) is (number == signal.SIGINT)
    assert (second.returncode, following.version()) == (0, 2), stderr
    following.worker()
    assert job.wait(60).state == "COMPLETED"
    fleet.check_effects("0", "1")
    fleet.check_ledger()


def test_a_stopped_old_worker_does_not_come_back(fleet: Fleet, client: Client, following: NextVersion) -> None:
    """An old worker that was silent during the upgrade is draining when it wakes up, and claims nothing."""
    old = fleet.start("--pool", "solo", "--concurrency", "1")
    keeper = until(lambda: fleet.keeper(old))
    os.kill(old.pid, signal.SIGSTOP)
    keeper.suspend()
    fleet.query("update tbx.runners set state = 'gone', gone_at = tbx.now() returning id")
    fleet.query("update tbx.slots set state = 'gone' returning id")
    upgrade = following.start(*UPGRADE, "--now")
    _, stderr = upgrade.communicate(timeout=60)
    assert upgrade.returncode == 0, stderr
    job = client.jobs().submit("step", Step("late"))

    keeper.resume()
    os.kill(old.pid, signal.SIGCONT)

    assert old.wait(30) == 0
    assert fleet.count("start ") == 0
    following.worker()
    assert job.wait(30).state == "COMPLETED"
    until(lambda: fleet.query(STATES, 1) == [("gone",)])
