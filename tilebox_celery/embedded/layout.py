"""Know where everything lies in a data directory, and make its folders private."""

import contextlib
import errno
import hashlib
import os
import pwd
import re
import socket
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tilebox_celery.errors import EmbeddedStackError

POSTGRES_SOCKET = ".s.PGSQL.5432"
VALKEY_SOCKET = "valkey.sock"
# sun_path holds 108 bytes with its NUL; PostgreSQL's is the longest name that we bind.
_LONGEST_FOLDER = 107 - len("/" + POSTGRES_SOCKET)
# Anything else would have to be quoted in a list of PostgreSQL, a line of Valkey or a broker URL.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_./+=@~-]*\Z")
_OURS = {"run", "log", "valkey", "postgres", "demo"}
"""Before the first dot: data that was set aside has a longer name."""
ANOTHER_HOME = "set TILEBOX_CELERY_HOME to a directory of your own"


@dataclass(frozen=True)
class Layout:
    """The paths of one data directory."""

    home: Path

    @property
    def run(self) -> Path:
        """Locks, the state file and, where the path is short enough, the sockets."""
        return self.home / "run"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data; it appears here by one rename, whole or not at all."""
        return self.home / "postgres"

    @property
    def valkey(self) -> Path:
        """Valkey's append-only file."""
        return self.home / "valkey"

    @property
    def log(self) -> Path:
        """What the servers and their supervisor wrote."""
        return self.home / "log"

    @property
    def users_lock(self) -> Path:
        """Locked shared by each process that uses the stack."""
        return self.run / "users.lock"

    @property
    def start_lock(self) -> Path:
        """Locked by the one process that starts or stops the stack."""
        return self.run / "start.lock"

    @property
    def supervisor_lock(self) -> Path:
        """Locked by the supervisor for as long as it lives."""
        return self.run / "supervisor.lock"

    @property
    def state(self) -> Path:
        """What the supervisor says about itself."""
        return self.run / "state.json"


def layout_of(home: Path) -> Layout:
    """Return the layout of a data directory, under one name however it was written."""
    return Layout(Path(os.path.realpath(Path(home).expanduser())))


def make_folders(layout: Layout) -> None:
    """Create the data directory and its folders with mode 0700.

    Raises:
        EmbeddedStackError: The directory cannot be written, or belongs to another user.
    """
    make_home(layout)
    with using(layout):
        for folder in (layout.run, layout.log, layout.valkey):
            folder.mkdir(mode=0o700, exist_ok=True)
            check_owner(folder)
            if stat.S_IMODE(folder.stat().st_mode) != 0o700:
                folder.chmod(0o700)


def make_home(layout: Layout) -> None:
    """Create the data directory with mode 0700; one that holds other things too keeps its mode.

    Raises:
        EmbeddedStackError: It cannot be created.
    """
    with using(layout):
        layout.home.parent.mkdir(parents=True, exist_ok=True)
        try:
            layout.home.mkdir(mode=0o700)
        except FileExistsError:
            is_ours = all(path.name.partition(".")[0] in _OURS for path in layout.home.iterdir())
            if is_ours and layout.home.stat().st_mode & 0o077:
                layout.home.chmod(0o700)


@contextlib.contextmanager
def using(layout: Layout) -> Iterator[None]:
    """Say in one sentence why a data directory cannot be used, whatever the system says about it.

    Raises:
        EmbeddedStackError: It is no directory, or cannot be read or written as what happens inside needs it.
    """
    try:
        with contextlib.suppress(FileNotFoundError):
            if not stat.S_ISDIR(layout.home.stat().st_mode):
                raise NotADirectoryError(errno.ENOTDIR, "it is not a directory")
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise EmbeddedStackError(
            f"The data directory {layout.home!s:.200} cannot be used ({reason}): {ANOTHER_HOME}."
        ) from error


def choose_socket_folder(layout: Layout) -> Path:
    """Return the folder for the sockets: inside the data directory, or a short private one when that cannot be.

    Raises:
        EmbeddedStackError: No short folder can be made.
    """
    if _holds_sockets(layout.run):
        return layout.run
    # The inode tells a directory from an earlier one of the same path, whose servers may still be going down.
    key = f"{layout.home}:{layout.home.stat().st_ino}"
    name = f"tbx-{os.geteuid()}-{hashlib.sha256(key.encode(errors='surrogateescape')).hexdigest()[:12]}"
    folder = Path("/tmp") / name  # noqa: S108  # TMPDIR may be long, or differ between the users of one stack
    try:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        if not _is_private(folder):  # somebody else has taken the name: use one that nobody can guess
            folder = Path(tempfile.mkdtemp(prefix=name + "-", dir="/tmp"))
    except OSError as error:
        raise EmbeddedStackError(
            f"The path of {layout.home} holds no socket, and neither does /tmp ({error.strerror}): "
            "set TILEBOX_CELERY_HOME to a shorter path."
        ) from error
    return folder


def _holds_sockets(folder: Path) -> bool:
    if len(os.fsencode(folder)) > _LONGEST_FOLDER or not _PLAIN_PATH.match(str(folder)):
        return False
    probe = folder / ".probe"
    probe.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as server:
        try:
            server.bind(str(probe))
        except OSError:
            return False  # some network and shared file systems hold files only
    probe.unlink()
    return True


def check_owner(folder: Path) -> None:
    """Raise EmbeddedStackError if a folder of a data directory belongs to another user."""
    owner = folder.stat().st_uid
    if owner == os.geteuid():
        return
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = str(owner)
    raise EmbeddedStackError(
        f"The data directory {folder.parent} belongs to user {name}: run as that user, or {ANOTHER_HOME}."
    )


def _is_private(folder: Path) -> bool:
    found = folder.lstat()
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == 0o700
