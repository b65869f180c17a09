"""Read a file as a stream of bytes that is whole at its end, across connections that break."""

import hashlib
from collections.abc import Generator
from threading import Event, Lock

from tilebox_celery.errors import ArgumentError, ProductDamaged
from tilebox_celery.storage.remote import Body, Changed, Interrupted, RemoteFile
from tilebox_celery.storage.retrying import Halt
from tilebox_celery.storage.stores import Store
from tilebox_celery.storage.transfer import PROGRESS_BYTES


def stream(store: Store, file: RemoteFile, halt: Halt, max_bytes: int | None = None) -> Generator[bytes, None, None]:
    """Yield the bytes of a file from its beginning.

    A broken connection is taken up where it ended, if the server tells versions apart. The last chunk is followed by
    an error, and not by the end, where what came is not what was announced.

    Args:
        store: Has the file.
        file: As it is announced.
        halt: Ends it.
        max_bytes: Of a file that is not refused.

    Raises:
        ArgumentError: It is larger than max_bytes.
        ProductDamaged: It is not as announced, or was replaced meanwhile.
        TileboxCeleryError: The provider refuses, or has failed too often.
    """
    size, version, name = file.size, file.version, file.key.partition("?")[0].rpartition("/")[2]
    digest = hashlib.md5(usedforsecurity=False) if file.md5 else None
    done, failures = 0, 0
    while True:
        halt.check()
        before = done
        try:
            with store.source.open(file, done, file.size, version) as body:
                size, version = _checked(body, done, size, version, name)
                if max_bytes is not None and (size or 0) > max_bytes:
                    raise ArgumentError(f"{name} has {size} bytes, which is more than max_bytes={max_bytes}.")
                for chunk in body.chunks:
                    done += len(chunk)
                    if max_bytes is not None and done > max_bytes:
                        raise ArgumentError(f"{name} has more than max_bytes={max_bytes} bytes.")
                    if digest:
                        digest.update(chunk)
                    yield chunk
                    halt.check()
            if size is not None and done < size:
                raise Interrupted("the answer ended early")
            break
        except Changed as error:
            raise ProductDamaged(f"{name} cannot be read: {error}.") from error
        except Interrupted as interruption:
            if done == size:
                break
            failures = 1 if done - before >= PROGRESS_BYTES else failures + 1
            if done and version is None:
                raise ProductDamaged(f"{name} broke off at byte {done}: {interruption.reason}.") from interruption
            halt.sleep(store.connections.retry.delay(failures, interruption, f"Reading {name}"))
    if size is not None and done != size:
        raise ProductDamaged(f"{name} has {done} bytes, but {size} were announced.")
    if digest and digest.hexdigest() != file.md5:
        raise ProductDamaged(f"{name} has the MD5 checksum {digest.hexdigest()}, but {file.md5} was announced.")


def _checked(body: Body, start: int, size: int | None, version: str | None, name: str) -> tuple[int | None, str | None]:
    """Return size and version of the file that an answer is a part of."""
    if size is not None and body.size is not None and body.size != size:
        raise ProductDamaged(f"{name} has {body.size} bytes, but {size} were announced.")
    if body.start != start or (version is not None and body.version != version):
        raise Changed("it was replaced at the provider meanwhile")
    return body.size if size is None else size, body.version


class Stream:
    """A stream that one thread at a time reads, and another one may close."""

    def __init__(self, chunks: Generator[bytes, None, None], stopped: Event) -> None:
        """Name the chunks, and what makes them end early."""
        self._chunks, self._stopped = chunks, stopped
        self._lock = Lock()

    def next(self) -> bytes | None:
        """Return the next bytes, None at the end."""
        with self._lock:
            return next(self._chunks, None)

    def close(self) -> None:
        """End it, as soon as the chunk that is under way is there."""
        self._stopped.set()
        with self._lock:
            self._chunks.close()
