"""Bring the files of one product in, several at a time, and go on where an earlier attempt ended."""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import BoundedSemaphore

from tilebox_celery.errors import ArgumentError, ProductDamaged
from tilebox_celery.storage.part import Part
from tilebox_celery.storage.per_process import PerProcess
from tilebox_celery.storage.remote import Changed, Interrupted, RemoteFile, Source
from tilebox_celery.storage.retrying import PATIENCE, Halt, RetryPolicy

Progress = Callable[[int], None]
"""Takes the number of bytes that have arrived since it was last called."""
MEBIBYTE = 1 << 20
PROGRESS_BYTES = 64 << 10
"""An interrupted answer that brought less counts as a failure: a few bytes at a time would go on for ever."""


@dataclass(frozen=True)
class Connections:
    """How a client may talk to its provider; all downloads of one client in one process share it."""

    limit: int
    """Requests at the same time."""
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    segment_bytes: int | None = 64 * MEBIBYTE
    """Larger files arrive in pieces of this size in parallel; None leaves every file whole."""
    checkpoint_bytes: int = 8 * MEBIBYTE
    _slots: PerProcess[BoundedSemaphore] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.limit, int) or self.limit < 1:
            raise ArgumentError(f"max_concurrent is {self.limit!r}, but must be a number of requests, at least 1.")
        if not isinstance(self.retry, RetryPolicy):
            raise ArgumentError(f"retry is {self.retry!r}, but must be a RetryPolicy.")
        object.__setattr__(self, "_slots", PerProcess(lambda: BoundedSemaphore(self.limit)))

    @contextmanager
    def slot(self, halt: Halt) -> Iterator[None]:
        """Wait for one of the connections."""
        slots = self._slots.get()
        while not slots.acquire(timeout=PATIENCE):
            halt.check()
        try:
            yield
        finally:
            slots.release()


def parts_of(files: list[RemoteFile], product: Path, folder: Path, connections: Connections) -> list[Part]:
    """Return the parts of a product, with what is there already.

    Args:
        files: Of the product.
        product: Where they go; the file itself where the only one has no name.
        folder: For the parts and their sidecars.
        connections: Say how large the segments are.
    """
    return [
        Part(
            file=file,
            target=product / file.name if file.name else product,
            folder=folder,
            segment_bytes=connections.segment_bytes,
            checkpoint_bytes=connections.checkpoint_bytes,
        )
        for file in files
    ]


def transfer(parts: list[Part], source: Source, connections: Connections, progress: Progress, halt: Halt) -> None:
    """Bring all parts in, verified.

    Raises:
        Changed: A file is not the one that was announced.
        ProductDamaged: What arrived is not what was announced.
        TileboxCeleryError: The provider refuses, or has failed too often.
        OSError: The disk refuses.
    """
    for part in parts:
        progress(part.target.stat().st_size if part.finished else sum(part.done))
    work = [(part, index) for part in parts for index in part.missing()]
    try:
        with ThreadPoolExecutor(connections.limit, thread_name_prefix="tilebox-download") as pool:
            try:
                jobs = {pool.submit(_bring, *each, source, connections, progress, halt) for each in work}
                while jobs:
                    done, jobs = wait(jobs, timeout=PATIENCE, return_when=FIRST_EXCEPTION)
                    for job in done:
                        job.result()
                    if jobs:
                        halt.check()
            except BaseException:
                halt.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    finally:
        for part in parts:
            part.close()
            if part.stale:
                part.forget()


def _bring(part: Part, index: int, source: Source, connections: Connections, progress: Progress, halt: Halt) -> None:
    """Bring one segment in; whoever brings the last one of a file finishes the file."""
    failures = 0
    while True:
        halt.check()
        before = part.done[index]
        try:
            with connections.slot(halt):
                _read(part, index, source, progress, halt)
            break
        except Interrupted as interruption:
            failures = 1 if part.done[index] - before >= PROGRESS_BYTES else failures + 1
            halt.sleep(connections.retry.delay(failures, interruption, f"The download of {part.label}"))
        except Changed:
            part.stale = True
            raise
    if part.end_segment(index):
        try:
            part.finish()
        except ProductDamaged:
            part.stale = True
            raise


def _read(part: Part, index: int, source: Source, progress: Progress, halt: Halt) -> None:
    request = part.request(index)
    if request is None:
        return
    start, end = request
    before = part.done[index]
    try:
        with source.open(part.file, start, end, part.version) as body, halt.aborting(body.abort):
            part.accept(body, start)
            progress(part.done[index] - before)  # less than nothing where the provider begins anew
            for chunk in body.chunks:
                part.write(index, chunk)
                progress(len(chunk))
                halt.check()
    except BaseException:
        with suppress(OSError):  # what is wrong with the disk is known already
            part.save()
        raise
    if part.is_short(index):
        raise Interrupted("the answer ended early")
