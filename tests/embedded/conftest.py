"""Data directories and user processes for the tests of the embedded stack."""

import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from tilebox_celery.embedded import Stack, StackStatus, down, leave, start, status
from tilebox_celery.errors import EmbeddedStackError

USER = """
import sys
from datetime import timedelta
from pathlib import Path
from tilebox_celery.embedded import start
print(start(Path(sys.argv[1]), timedelta(seconds=float(sys.argv[2]))).ledger_url, flush=True)
sys.stdin.read()
"""


class User:
    """A process of its own that uses the stack until it is told, or made, to go."""

    def __init__(self, home: Path, idle_stop: float) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER, str(home), str(idle_stop)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def await_start(self) -> str:
        """Return the ledger URL that the process got."""
        line = self.process.stdout.readline().strip()
        assert line, self.process.stderr.read()
        return line

    def kill(self) -> None:
        """Kill the process with -9."""
        self.process.send_signal(signal.SIGKILL)
        self.close()

    def close(self) -> None:
        """Let the process end by itself."""
        self.process.communicate()


class Home:
    """One data directory and questions about it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.users: list[User] = []

    def start(self, idle_stop: float = 60.0) -> Stack:
        """Start the stack with this process as a user."""
        return start(self.path, timedelta(seconds=idle_stop))

    def user(self, idle_stop: float = 60.0) -> User:
        """Start the stack with another process as a user."""
        self.users.append(User(self.path, idle_stop))
        return self.users[-1]

    def status(self) -> StackStatus:
        """Return what runs."""
        return status(self.path)

    def log(self) -> str:
        """Return what the supervisor wrote."""
        return (self.path / "log" / "supervisor.log").read_text()

    def close(self) -> None:
        """End everything and remove the directory."""
        for user in self.users:
            if user.process.poll() is None:
                user.kill()
        leave()
        with contextlib.suppress(EmbeddedStackError):  # a test may have made it unusable
            down(self.path)
        shutil.rmtree(self.path, ignore_errors=True)


def _make_parent() -> Path:
    memory = Path("/dev/shm")  # saves the disk of a busy machine; containers have too little of it
    has_room = memory.is_dir() and shutil.disk_usage(memory).free > 4 * 1024**3
    return Path(tempfile.mkdtemp(prefix="tbx-test-", dir=memory if has_room else None))


@pytest.fixture
def new_home() -> Iterator[Home]:
    """A data directory that does not exist yet, with a path short enough for sockets."""
    parent = Path(_make_parent())
    home = Home(parent / "home")
    yield home
    home.close()
    shutil.rmtree(parent, ignore_errors=True)


@pytest.fixture
def home(new_home: Home, used_home: Path) -> Home:
    """A data directory that was used before and is at rest; saves the time of a first start."""
    subprocess.run(["cp", "-a", used_home, new_home.path], check=True)
    return new_home


@pytest.fixture(scope="session")
def used_home() -> Iterator[Path]:
    """The directory that ``home`` copies."""
    parent = Path(_make_parent())
    home = Home(parent / "home")
    home.start()
    leave()
    down(home.path)
    shutil.rmtree(home.path / "log")
    yield home.path
    shutil.rmtree(parent)


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait for a fact, for 15 seconds at most."""

    def wait(fact: Callable[[], object]) -> None:
        deadline = time.monotonic() + 15
        while not fact():
            assert time.monotonic() < deadline, "it did not come true within 15 s"
            time.sleep(0.01)

    return wait


@pytest.fixture
def ask() -> Callable[[str, str], object]:
    """Run one statement in the ledger and return its first value."""

    def run(ledger_url: str, statement: str) -> object:
        with psycopg.connect(ledger_url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchone()[0] if cursor.description else None

    return run


@pytest.fixture
def is_alive() -> Callable[[int], bool]:
    """Say whether a process lives; a zombie does not."""

    def look(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    return look
