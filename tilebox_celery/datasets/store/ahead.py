"""Fetch the next part of a load while the one before it is laid out."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
_END = object()


def read_ahead(items: Iterator[Item]) -> Generator[Item]:
    """Give items, each of which a thread has taken from the iterator meanwhile: never two at a time.

    Whoever ends this early waits for the item that is on its way; the iterator is his to close.

    Example:
        >>> list(read_ahead(iter("ab")))
        ['a', 'b']
    """
    with ThreadPoolExecutor(1, "tilebox-read-ahead") as thread:
        coming = thread.submit(next, items, _END)
        while (item := coming.result()) is not _END:
            coming = thread.submit(next, items, _END)
            yield item  # type: ignore[misc]  # not the end
