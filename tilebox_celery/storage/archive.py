"""Unpack a zip archive that may be hostile: nothing is written outside its folder, and not more than is reasonable."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile, ZipInfo

from tilebox_celery.errors import ArchiveError, StorageError
from tilebox_celery.storage.names import safe_path
from tilebox_celery.storage.remote import CHUNK_BYTES
from tilebox_celery.storage.retrying import Halt

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive of satellite data never exceeds, and a zip bomb does."""

    total_bytes: int = 64 << 30
    """Unpacked."""
    ratio: float = 200
    """Of unpacked to packed bytes, counted from the first mebibyte on."""
    files: int = 100_000


def unpack(archive: Path, folder: Path, limits: ArchiveLimits, halt: Halt, name: str | None = None) -> None:
    """Unpack an archive into a new folder.

    Args:
        archive: A zip file.
        folder: Is created; whatever an error leaves in it is the caller's to remove.
        limits: What is still believed to be data.
        halt: Ends the work.
        name: Stands for the archive in errors; else the name of its file.

    Raises:
        ArchiveError: The archive is damaged, encrypted, empty or too large, or an entry is a link or could lead out of
            the folder.
    """
    name = name or archive.name
    folder.mkdir(parents=True)
    try:
        with _opened(archive, name) as opened:
            for entry_name, entry in _checked(opened.infolist(), archive, name, limits).items():
                target = folder / entry_name
                if entry.is_dir():
                    target.mkdir(parents=True, exist_ok=True)
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    _write(opened, entry, target, name, halt)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ArchiveError(f"{name} holds a file and a folder of the same name: {error.filename}.") from error


def verify(archive: Path, name: str) -> None:
    """Look whether a file is an archive with its end, which half of one has not.

    Raises:
        ArchiveError: It is not.
    """
    with _opened(archive, name):
        pass


def _opened(archive: Path, name: str) -> ZipFile:
    with _reading(name):
        return ZipFile(archive)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Say in one sentence that an archive is damaged: a hostile one brings zipfile and its codecs to raise anything."""
    try:
        yield
    except Exception as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise ArchiveError(f"{name} cannot be unpacked: {reason}.") from error


def _checked(infos: list[ZipInfo], archive: Path, what: str, limits: ArchiveLimits) -> dict[str, ZipInfo]:
    total = sum(info.file_size for info in infos)
    packed = min(sum(info.compress_size for info in infos), archive.stat().st_size)
    if all(info.is_dir() for info in infos):
        raise ArchiveError(f"{what} holds no file.")
    if len(infos) > limits.files or total > limits.total_bytes:
        raise ArchiveError(
            f"{what} would unpack to {len(infos)} files of {total} bytes together, more than the allowed "
            f"{limits.files} files and {limits.total_bytes} bytes; it is refused."
        )
    if total > CHUNK_BYTES and total > limits.ratio * max(packed, 1):
        raise ArchiveError(
            f"{what} would unpack {packed} bytes to {total}, more than {limits.ratio:g} times as much; it is refused."
        )
    entries: dict[str, ZipInfo] = {}
    for info in infos:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ArchiveError(f"{what} holds a link or a device, '{info.filename}'; it is refused.")
        if info.flag_bits & _ENCRYPTED:
            raise ArchiveError(f"{what} is encrypted.")
        try:
            # The name as it was stored: ZipFile cuts it at a NUL.
            name = str(safe_path(info.orig_filename.removesuffix("/"), f"A name in {what}"))
        except StorageError as error:
            raise ArchiveError(str(error)) from error
        if name in entries:
            raise ArchiveError(f"{what} holds '{name}' twice; it is refused.")
        entries[name] = info
    return entries


def _write(opened: ZipFile, entry: ZipInfo, target: Path, name: str, halt: Halt) -> None:
    with _reading(name):
        source = opened.open(entry)
    with source, os.fdopen(os.open(target, _NEW_FILE, 0o666), "wb") as stream:
        while True:
            with _reading(name):
                # A source ends after the size that was checked above, whatever the compressed bytes would give.
                chunk = source.read(CHUNK_BYTES)
            if not chunk:
                return
            halt.check()
            stream.write(chunk)


def flatten(folder: Path, name: str) -> Path:
    """Return the folder that holds the data: the only one inside if it has the name of the product.

    Example:
        >>> Path("new/product").mkdir(parents=True)
        >>> print(flatten(Path("new"), "product"))
        new/product
    """
    entries = list(folder.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].name == name and entries[0].is_dir() else folder


def remove_tree(path: Path) -> None:
    """Remove a file or a folder with all that is in it, or nothing if it is not there."""
    try:
        path.unlink()
    except FileNotFoundError:
        return
    except (IsADirectoryError, PermissionError):
        shutil.rmtree(path)
