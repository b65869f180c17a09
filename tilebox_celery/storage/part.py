"""One file on its way in: a ``.part``, and a sidecar that says which bytes of which version it holds."""

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock

from tilebox_celery.errors import ProductDamaged
from tilebox_celery.storage.names import key_of
from tilebox_celery.storage.remote import CHUNK_BYTES, Body, Changed, RemoteFile

_OPEN = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass
class Part:
    """A file that arrives in segments, each from its beginning on; several threads may write different segments."""

    file: RemoteFile
    target: Path
    """Where the file goes once it is whole and verified."""
    folder: Path
    """Holds the part and the sidecar."""
    segment_bytes: int | None
    """None for one segment."""
    checkpoint_bytes: int
    """New bytes after which the sidecar is written, which is what a killed process loses at most per segment."""
    size: int | None = None
    version: str | None = None
    done: list[int] = field(default_factory=list)
    finished: bool = False
    stale: bool = False
    """What has arrived is of no use."""
    _descriptor: int | None = None
    _unsaved: int = 0
    _open_segments: int = 0
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        key = key_of(self.file.name)
        self.path, self._sidecar = self.folder / f"{key}.part", self.folder / f"{key}.json"
        self.size, self.version = self.file.size, self.file.version
        self.done = [0] * self._count()
        self._resume()
        self._open_segments = sum(not self._is_complete(index) for index in range(len(self.done)))

    @property
    def label(self) -> str:
        """What people call the file."""
        return self.file.name or self.file.key.rpartition("/")[2]

    def missing(self) -> list[int]:
        """Return the segments that are not there yet; an empty file has one, which is asked for all the same."""
        if self.finished:
            return []
        missing = [index for index in range(len(self.done)) if not self._is_complete(index)]
        return missing or [0]  # all bytes are there, but nobody has verified them

    def request(self, index: int) -> tuple[int, int | None] | None:
        """Return the next byte and the end of a segment, or None where nothing is left to ask for."""
        start = self._start(index) + self.done[index]
        end = self._end(index)
        return None if end is not None and start >= end else (start, end)

    def accept(self, body: Body, start: int) -> None:
        """Check an answer before its bytes are taken.

        Raises:
            Changed: It belongs to another version, or to other bytes than were asked for.
        """
        with self._lock:
            if self.size is not None and body.size is not None and body.size != self.size:
                raise Changed(f"it has {body.size} bytes instead of {self.size}")
            if self.version is not None and body.version is not None and body.version != self.version:
                if len(self.done) > 1 or body.start != 0 or self.file.version is not None:
                    raise Changed("it was replaced at the provider meanwhile")
                self.version = None
            if body.start != start:
                if len(self.done) > 1 or body.start != 0:
                    raise Changed(f"the answer begins at byte {body.start} instead of {start}")
                self.done = [0]  # the provider knows no ranges, or the file has changed: it sends all of it
            self.size = body.size if self.size is None else self.size
            self.version = body.version if self.version is None else self.version

    def write(self, index: int, chunk: bytes) -> None:
        """Store the next bytes of a segment.

        Raises:
            Changed: There are more than were announced.
        """
        descriptor = self._open()
        offset, end = self._start(index) + self.done[index], self._end(index)
        if end is not None and offset + len(chunk) > end:
            raise Changed(f"more than the announced {end - self._start(index)} bytes arrive")
        rest = memoryview(chunk)
        while rest:
            written = os.pwrite(descriptor, rest, offset)
            offset, rest = offset + written, rest[written:]
            self.done[index] += written
        self._unsaved += len(chunk)
        if self._unsaved >= self.checkpoint_bytes:
            self.save()

    def end_segment(self, index: int) -> bool:
        """Tell whether this was the last segment of the file; the one that hears so finishes it."""
        with self._lock:
            if self.size is None:
                self.size = self.done[index]  # a body without a length ends where it ends
            self._open_segments -= 1
            return self._open_segments <= 0

    def is_short(self, index: int) -> bool:
        """Tell whether bytes of this segment are known to be missing."""
        end = self._end(index)
        return end is not None and self._start(index) + self.done[index] < end

    def save(self) -> None:
        """Make sure that what the sidecar says is on the disk, then write the sidecar."""
        with self._lock:
            done = list(self.done)  # other threads go on writing: what they add from here on is not synced
            if self._descriptor is not None:
                os.fdatasync(self._descriptor)
            self._unsaved = 0
            self._write_sidecar(done)

    def finish(self) -> None:
        """Verify the file, sync it and move it to its place.

        Raises:
            ProductDamaged: Its length, checksum or first bytes are not what was announced.
        """
        descriptor = self._open()
        os.ftruncate(descriptor, sum(self.done))
        self._verify(descriptor)
        os.fsync(descriptor)
        self.close()
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self.path.replace(self.target)
        self.finished = True
        self._write_sidecar(self.done)

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def forget(self) -> None:
        """Remove all that has arrived."""
        self.close()
        for path in (self._sidecar, self.path, self.target):
            with suppress(FileNotFoundError):
                path.unlink()

    def _verify(self, descriptor: int) -> None:
        name = self.label
        length = os.fstat(descriptor).st_size
        if self.size is not None and length != self.size:
            raise ProductDamaged(f"{name} has {length} bytes, but {self.size} were announced.")
        if os.pread(descriptor, len(self.file.magic), 0) != self.file.magic:
            raise ProductDamaged(f"What arrived as {name} is something else: it does not begin like such a file.")
        if self.file.md5 is not None:
            digest = _md5(descriptor)
            if digest != self.file.md5.lower():
                raise ProductDamaged(
                    f"{name} has the MD5 checksum {digest}, but {self.file.md5.lower()} was announced."
                )

    def _resume(self) -> None:
        """Take over what an earlier attempt has left, if it is of the same version."""
        try:
            state = json.loads(self._sidecar.read_text(encoding="utf-8"))
            size, version, done = state["size"], state["version"], [int(count) for count in state["done"]]
            same = self.file.size in (None, size) and self.file.version in (None, version)
            if not same or state["segment_bytes"] != self.segment_bytes:
                return
            if state["finished"]:
                self.finished = self.target.is_file() and self.target.stat().st_size == size
                return
            if version is None and self.file.md5 is None:
                return  # nobody could tell that the file has changed meanwhile
            reach = max((self._start(index) + count for index, count in enumerate(done) if count), default=0)
            if len(done) == len(self.done) and self.path.stat().st_size >= reach:
                self.size, self.version, self.done = size, version, done
        except (OSError, ValueError, TypeError, KeyError):  # no sidecar, or a power failure took half of it
            return

    def _write_sidecar(self, done: list[int]) -> None:
        state = {"name": self.file.name, "version": self.version, "size": self.size, "done": done}
        text = json.dumps(state | {"segment_bytes": self.segment_bytes, "finished": self.finished})
        fresh = self._sidecar.with_suffix(".new")
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(self._sidecar)

    def _open(self) -> int:
        with self._lock:
            if self._descriptor is None:
                self._descriptor = os.open(self.path, _OPEN, 0o666)
            return self._descriptor

    def _count(self) -> int:
        if self.size is None or not self.segment_bytes:
            return 1
        return max(1, -(-self.size // self.segment_bytes))

    def _start(self, index: int) -> int:
        return index * (self.segment_bytes or 0)

    def _end(self, index: int) -> int | None:
        if self.size is None or not self.segment_bytes or len(self.done) == 1:
            return self.size
        return min(self.size, (index + 1) * self.segment_bytes)

    def _is_complete(self, index: int) -> bool:
        end = self._end(index)
        return end is not None and self._start(index) + self.done[index] >= end


def _md5(descriptor: int) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    offset = 0
    while chunk := os.pread(descriptor, CHUNK_BYTES, offset):
        digest.update(chunk)
        offset += len(chunk)
    return digest.hexdigest()
