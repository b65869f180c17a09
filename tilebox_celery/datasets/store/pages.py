"""Cut, join and merge pages of a load; a millisecond is never spread over two pages of one collection."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tilebox_celery.datasets.store.incoming_rows import milliseconds
from tilebox_celery.datasets.store.records import Page

PAGE_ROWS = 65_536
"""Large enough for Arrow to be fast, small enough for progress and for memory."""


def pages_of(tables: Iterable[pa.Table], end_ms: int) -> Iterator[Page]:
    """Cut a stream of rows into pages of PAGE_ROWS: fewer where a millisecond would be cut, more where one has more.

    Args:
        tables: Sorted by time, also one after another.
        end_ms: Where the stream ends.
    """
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        if table.num_rows == 0:
            continue
        waiting.append(table)
        count += table.num_rows
        while count > PAGE_ROWS:
            whole = join(waiting)
            times = milliseconds(whole)
            place = int(np.searchsorted(times, times[PAGE_ROWS], "left")) or int(
                np.searchsorted(times, times[0], "right")
            )
            if place == count:
                waiting = [whole]  # all of one millisecond, which may go on
                break
            yield Page(whole.slice(0, place), int(times[place]))
            waiting, count = [whole.slice(place)], count - place
    if count:
        yield Page(join(waiting), end_ms)


def merge(streams: Sequence[Generator[Page]]) -> Generator[Page]:
    """Merge the pages of several collections into one stream, sorted by (time, id); its end closes them."""
    with ExitStack() as closed:
        for stream in streams:
            closed.enter_context(closing(stream))
        if len(streams) == 1:
            yield from streams[0]
        else:
            yield from _merged(streams)


def _merged(streams: Sequence[Generator[Page]]) -> Iterator[Page]:
    live = [(stream, page) for stream in streams if (page := next(stream, None)) is not None]
    while live:
        end_ms = min(page.end_ms for _, page in live)
        parts: list[pa.Table] = []
        still: list[tuple[Generator[Page], Page]] = []
        for stream, page in live:
            place = int(np.searchsorted(milliseconds(page.table), end_ms, "left"))
            if place:
                parts.append(page.table.slice(0, place))
            rest: Page | None = Page(page.table.slice(place), page.end_ms, page.expected - place)
            if page.end_ms == end_ms:
                rest = next(stream, None)
            if rest is not None:
                still.append((stream, rest))
        expected = sum(page.expected for _, page in live)
        live = still
        if parts:
            yield Page(join(parts) if len(parts) == 1 else _sorted(join(parts)), end_ms, expected)


def join(tables: Sequence[pa.Table]) -> pa.Table:
    """Put tables of the same columns below each other.

    A column of texts may come as plain texts in one table and as a dictionary in another one: then all are texts.
    """
    if len(tables) == 1:
        return tables[0]
    names = tables[0].column_names
    for name in names:
        if len({table.schema.field(name).type for table in tables}) > 1:
            tables = [_plain(table, name) for table in tables]
    return pa.concat_tables(tables)


def _plain(table: pa.Table, name: str) -> pa.Table:
    column = table.column(name)
    if not pa.types.is_dictionary(column.type):
        return table
    return table.set_column(table.column_names.index(name), name, column.cast(column.type.value_type))


def _sorted(table: pa.Table) -> pa.Table:
    order = pc.sort_indices(table, sort_keys=[("time", "ascending"), ("id", "ascending")])
    return table.unify_dictionaries().take(order)
