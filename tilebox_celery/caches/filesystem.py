"""A cache in a folder, which all processes that see the folder share."""

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tilebox_celery.caches.keys import decode_segment, encode_segment
from tilebox_celery.caches.stored import StoredCache
from tilebox_celery.errors import CacheKeyError

# No key encodes to these two, because a % of a key is always followed by 25.
BESIDE_GROUP = "%"
"""Ends the file name of a value whose own name is taken by the folder of a group."""
TEMPORARY = "%tmp"
"""Folder for files being written; on the same file system as the root, so that a rename out of it is atomic."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # NONBLOCK: a pipe in the folder must not hang us
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ATTEMPTS = 100


class LocalFileSystemCache(StoredCache):
    """Keep each value in a file ``<root>/<group>/<key>``.

    A value is written to a temporary file, synced to disk and renamed, so that readers and crashes find the old value
    or the new one. Symbolic links below the root are not followed. If a key is also a group, its file is ``<key>%``.

    Example:
        >>> cache = LocalFileSystemCache("cache")
        >>> cache["movies/1"] = b"Metropolis"
        >>> Path("cache/movies/1").read_bytes()
        b'Metropolis'
    """

    def __init__(self, root: str | os.PathLike[str] = "cache") -> None:
        """Name the folder; it is created by the first write.

        Args:
            root: The folder; a relative one is taken from today's working directory, even if a task changes it.
        """
        self.root = Path(root).absolute()
        super().__init__(FileStore(self.root))


class FileStore:
    """Values as files below a root; each path is walked folder by folder from an open root, never by its text."""

    def __init__(self, root: Path) -> None:
        """Name the root."""
        self._root = root
        self._swept_by = 0

    def read(self, path: tuple[str, ...]) -> bytes | None:
        """Return the value, or None where there is none."""
        with self._folder(path[:-1]) as folder:
            return None if folder is None else self._read(path, folder)

    def write(self, path: tuple[str, ...], value: bytes) -> None:
        """Store the value as a whole."""
        try:
            for attempt in range(_ATTEMPTS):
                try:
                    return self._write(path, value)
                except FileNotFoundError:  # a clear() took our folder, or a sweep our file before we had locked it
                    if attempt == _ATTEMPTS - 1:
                        raise
        except CacheKeyError:
            raise
        except OSError as error:
            reason = error.strerror or error
            raise OSError(error.errno, f"'{'/'.join(path)}' was not cached: {reason}", str(self._root)) from error

    def delete(self, path: tuple[str, ...]) -> bool:
        """Remove the value, and tell whether there was one."""
        with self._folder(path[:-1]) as folder:
            if folder is None:
                return False
            name = encode_segment(path[-1])
            beside = _unlink(name + BESIDE_GROUP, folder)
            plain = _unlink(name, folder)
            # The value may have moved from `name` to beside its group after our first look.
            return beside or plain or _unlink(name + BESIDE_GROUP, folder)

    def has(self, path: tuple[str, ...]) -> bool:
        """Tell whether there is a value."""
        with self._folder(path[:-1]) as folder:
            if folder is None:
                return False
            for name in _candidates(path):
                with suppress(FileNotFoundError):
                    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
                    if stat.S_ISLNK(mode):
                        raise self._link_error(name)
                    if stat.S_ISREG(mode):
                        return True
            return False

    def names(self, group: tuple[str, ...]) -> set[str]:
        """Return the names of the values directly in the group."""
        with self._folder(group) as folder:
            if folder is None:
                return set()
            with os.scandir(folder) as entries:
                names = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
        return {decode_segment(name.removesuffix(BESIDE_GROUP)) for name in names}

    def clear(self, group: tuple[str, ...]) -> None:
        """Remove all values in the group and its subgroups."""
        with self._folder(group) as folder:
            if folder is None:
                return
            for name in os.listdir(folder):  # noqa: PTH208  # a descriptor, not a path
                if name != TEMPORARY and not _unlink(name, folder):
                    _remove_tree(name, folder)
        if group:
            with self._folder(group[:-1]) as parent, suppress(OSError):  # not empty: somebody has written meanwhile
                if parent is not None:
                    os.rmdir(encode_segment(group[-1]), dir_fd=parent)

    def _read(self, path: tuple[str, ...], folder: int) -> bytes | None:
        for name in _candidates(path):
            try:
                file = os.open(name, _FILE, dir_fd=folder)
            except FileNotFoundError:
                continue
            except OSError as error:
                if _is_link(name, folder):
                    raise self._link_error(name) from error
                raise
            if not stat.S_ISREG(os.fstat(file).st_mode):  # the folder of a group, most likely
                os.close(file)
                continue
            with os.fdopen(file, "rb") as stream:
                return stream.read()
        return None

    def _write(self, path: tuple[str, ...], value: bytes) -> None:
        with self._folder(path[:-1], create=True) as folder, self._folder((), TEMPORARY, create=True) as temporary:
            assert folder is not None
            assert temporary is not None
            self._sweep_once(temporary)
            name = os.urandom(16).hex()
            file = os.open(name, _NEW_FILE, 0o666, dir_fd=temporary)
            try:
                with os.fdopen(file, "wb", buffering=0) as stream:
                    _lock(file)  # the kernel drops it when we die, which tells the next sweep
                    rest = memoryview(value)
                    while rest:
                        rest = rest[stream.write(rest) :]
                    os.fsync(file)
                    _move(name, temporary, encode_segment(path[-1]), folder)
            except BaseException:
                _unlink(name, temporary)
                raise
            os.fsync(folder)  # the rename itself, or a power failure could take back what a finished task relies on

    def _sweep_once(self, temporary: int) -> None:
        """Remove what killed writers have left, at the first write of each process."""
        if self._swept_by == os.getpid():
            return
        self._swept_by = os.getpid()
        for name in os.listdir(temporary):
            with suppress(OSError):  # gone already, or locked by its living writer
                file = os.open(name, _FILE, dir_fd=temporary)
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    os.unlink(name, dir_fd=temporary)
                finally:
                    os.close(file)

    @contextmanager
    def _folder(self, group: tuple[str, ...], *raw: str, create: bool = False) -> Iterator[int | None]:
        """Open the folder of a group; None where there is none."""
        folder = self._open_root(create=create)
        try:
            for name in (*map(encode_segment, group), *raw):
                if folder is None:
                    break
                parent, folder = folder, None
                try:
                    folder = self._open_child(name, parent, create=create)
                finally:
                    os.close(parent)
            yield folder
        finally:
            if folder is not None:
                os.close(folder)

    def _open_root(self, *, create: bool) -> int | None:
        try:
            return os.open(self._root, _FOLDER)
        except FileNotFoundError:
            if not create:
                return None
            self._root.mkdir(parents=True, exist_ok=True)
            return os.open(self._root, _FOLDER)

    def _open_child(self, name: str, parent: int, *, create: bool) -> int | None:
        try:
            return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)
        except (FileNotFoundError, NotADirectoryError) as error:
            if _is_link(name, parent):
                raise self._link_error(name) from error
            if not create:
                return None
            _make_folder(name, parent)
            return os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=parent)

    def _link_error(self, name: str) -> CacheKeyError:
        return CacheKeyError(f"{name!r} in the cache {self._root} is a symbolic link, and those are not followed.")


def _candidates(path: tuple[str, ...]) -> Iterable[str]:
    name = encode_segment(path[-1])
    return name, name + BESIDE_GROUP


def _move(source: str, source_folder: int, name: str, folder: int) -> None:
    try:
        os.replace(source, name, src_dir_fd=source_folder, dst_dir_fd=folder)
    except IsADirectoryError:  # the key is also a group
        os.replace(source, name + BESIDE_GROUP, src_dir_fd=source_folder, dst_dir_fd=folder)


def _make_folder(name: str, parent: int) -> None:
    """Make the folder of a group; a value of that name moves beside it.

    The lock keeps two of us apart: the slower one would rename the folder that the faster one has just made.
    """
    lock = os.open(".", _FOLDER, dir_fd=parent)
    try:
        _lock(lock)
        while True:
            try:
                os.mkdir(name, 0o777, dir_fd=parent)
            except FileExistsError:
                if stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                    return
                os.rename(name, name + BESIDE_GROUP, src_dir_fd=parent, dst_dir_fd=parent)
            else:
                os.fsync(parent)
                return
    finally:
        os.close(lock)


def _lock(file: int) -> None:
    with suppress(OSError):  # some network file systems have no flock; they lose the sweep, not the atomicity
        fcntl.flock(file, fcntl.LOCK_EX)


def _unlink(name: str, folder: int) -> bool:
    try:
        os.unlink(name, dir_fd=folder)
    except (FileNotFoundError, IsADirectoryError):
        return False
    return True


def _remove_tree(name: str, folder: int) -> None:
    try:
        shutil.rmtree(name, dir_fd=folder)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTEMPTY):  # gone, or somebody has written meanwhile
            raise


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False
