"""The progress bar of a download."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from tilebox_celery.errors import StorageError

Advance = Callable[[int], None]


@contextmanager
def progress_bar(name: str, total: int | None, *, shown: bool) -> Iterator[Advance]:
    """Draw a tqdm bar in bytes.

    Args:
        name: Stands before the bar.
        total: Bytes; None if nobody knows.
        shown: Whether there is a bar at all.

    Example:
        >>> with progress_bar("scene", 10, shown=False) as advance:
        ...     advance(10)
    """
    if not shown:
        yield lambda count: None
        return
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise StorageError("A progress bar needs tqdm: pip install 'tilebox-celery[storage]'.") from error
    lock = Lock()  # the counter of a bar is not safe between threads
    with tqdm(total=total, desc=name, unit="B", unit_scale=True, unit_divisor=1024) as bar:

        def advance(count: int) -> None:
            with lock:
                bar.update(count)

        yield advance
