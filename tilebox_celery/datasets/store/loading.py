"""Load datapoints page by page: few ones and filtered ones from rows, many from segments with rows between them."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing

import pyarrow as pa

from tilebox_celery.datasets.filters import Expression, checked_filter
from tilebox_celery.datasets.schema import DatasetKind, Field
from tilebox_celery.datasets.spatial import Area, parse_area
from tilebox_celery.datasets.store import segments
from tilebox_celery.datasets.store.arrow_connection import ArrowConnection
from tilebox_celery.datasets.store.connections import Connections
from tilebox_celery.datasets.store.incoming_rows import milliseconds
from tilebox_celery.datasets.store.pages import merge, pages_of
from tilebox_celery.datasets.store.records import CollectionRecord, DatasetRecord, Page
from tilebox_celery.datasets.store.selection import canonical, in_interval, rows_of, select_rows
from tilebox_celery.errors import ArgumentError, AuthenticationError, LedgerUnavailable, NotFoundError

FEW_ROWS = 4_096
"""Up to here the index of the rows is faster than to open a segment."""
FETCHED_ROWS = 16_384
"""Of a filtered load at a time: it holds these, not all that the database finds."""
SNAPSHOT = "begin isolation level repeatable read, read only"


class Loading:
    """Plans and runs loads.

    Args:
        connections: To the database.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def load(
        self,
        collections: Sequence[CollectionRecord],
        first_ms: int,
        end_ms: int,
        *,
        where: object = None,
        area: object = None,
        skip_data: bool = False,
    ) -> Generator[Page]:
        """Give the datapoints of a half-open interval, sorted by (time, id).

        Each collection is read as it was at one moment, with each ingest in full or not at all. Whoever stops before
        the end closes the generator: until then it keeps its connections, and their transactions.

        Args:
            collections: Of one dataset.
            first_ms: Unix milliseconds, inclusive.
            end_ms: Unix milliseconds, exclusive.
            where: A filter expression (see `filters.field`).
            area: A geometry, or a dict with one (see `spatial.parse_area`).
            skip_data: Only time, id and ingestion time.

        Raises:
            ArgumentError: The filter or the area does not fit the dataset.
            TypeError: The filter is no expression.
        """
        if not collections:
            return merge([])
        dataset = collections[0].dataset
        expression = None if where is None else checked_filter(where)
        parsed = None if area is None else parse_area(area)
        if parsed is not None and dataset.schema.kind is not DatasetKind.SPATIOTEMPORAL:
            raise ArgumentError(
                f"The dataset '{dataset.slug}' is temporal: only a spatiotemporal one has a geometry to query by area."
            )
        load = _Load(self._connections, dataset, first_ms, end_ms, expression, parsed, skip_data)
        load.check()
        return merge([load.pages(collection) for collection in collections])


class _Load:
    """One load of one dataset."""

    def __init__(
        self,
        connections: Connections,
        dataset: DatasetRecord,
        first_ms: int,
        end_ms: int,
        where: Expression | None,
        area: Area | None,
        skip_data: bool,
    ) -> None:
        self.connections = connections
        self.dataset = dataset
        self.first_ms = first_ms
        self.end_ms = end_ms
        self.where = where
        self.area = area
        self.skip_data = skip_data
        self.fields: tuple[Field, ...] = () if skip_data else dataset.schema.fields

    def check(self) -> None:
        """Raise now what the first page would raise."""
        if self.where is not None:
            self.where.sql(self.dataset.schema, lambda _, type_name: f"null::{type_name}")

    def pages(self, collection: CollectionRecord) -> Generator[Page]:
        """Give the pages of one collection; the last one when its connection was given back, for another one."""
        if self.first_ms >= self.end_ms:
            return
        last: list[Page] = []
        is_empty = True
        with self.connections.arrow() as connection, closing(self._pages(connection, collection)) as pages:
            for page in pages:
                is_empty = False
                if page.end_ms < self.end_ms:
                    yield page
                else:
                    last.append(page)
            if is_empty and segments.standing(connection, collection) is None:
                raise NotFoundError(f"No such collection {collection.name}")
        yield from last

    def _pages(self, connection: ArrowConnection, collection: CollectionRecord) -> Generator[Page]:
        is_big = self._is_big(connection, collection)
        if self.where is not None or self.area is not None or not is_big:
            with closing(self._rows(connection, collection, self.first_ms, self.end_ms, is_big)) as tables:
                yield from pages_of(tables, self.end_ms)
            return
        with connection.transaction(SNAPSHOT):
            yield from self._from_segments(connection, collection)

    def _is_big(self, connection: ArrowConnection, collection: CollectionRecord) -> bool:
        """Tell whether there are more than a few rows; walks over no more than these."""
        conditions = in_interval(collection, self.first_ms, self.end_ms)
        query = f"select 1 from {rows_of(self.dataset)} where {conditions} offset {FEW_ROWS} limit 1"  # noqa: S608  # quoted
        return bool(connection.table(query, conditions.values).num_rows)

    def _rows(
        self, connection: ArrowConnection, collection: CollectionRecord, first_ms: int, end_ms: int, is_big: bool = True
    ) -> Generator[pa.Table]:
        conditions = in_interval(collection, first_ms, end_ms)
        fields = self.fields
        if self.where is not None:
            conditions.add(self.where.sql(self.dataset.schema, conditions.bind))
        if self.area is not None:
            conditions.add(self.area.condition(conditions.bind))
            if self.skip_data:
                fields = (self.dataset.schema.by_name["geometry"],)
        query = select_rows(self.dataset, fields, conditions)
        if is_big and conditions.values:
            found = connection.fetched(query, conditions.values, FETCHED_ROWS)
        else:
            found = (pa.Table.from_batches([each]) for each in connection.batches(query, conditions.values))
        with closing(found):
            for rows in found:
                table = canonical(rows, fields)
                if self.area is not None:
                    table = table.filter(pa.array(self.area.matches(table.column("geometry").combine_chunks())))
                    if self.skip_data:
                        table = table.drop_columns("geometry")
                yield table

    def _from_segments(self, connection: ArrowConnection, collection: CollectionRecord) -> Iterator[Page]:
        seen = segments.standing(connection, collection)
        reached = self.first_ms
        runs = _runs(segments.headers(connection, collection, self.first_ms, self.end_ms))
        left = sum(header.rows for run in runs for header in run)
        for run in runs:
            if reached < run[0].first_ms:
                yield from self._gap(connection, collection, seen, reached, run[0].first_ms)
            stored = segments.read(connection, collection, run[0].first_ms, run[-1].end_ms, self.skip_data)
            with closing(stored):
                for header, table in zip(run, stored, strict=True):
                    reached = min(header.end_ms, self.end_ms)
                    left -= header.rows
                    yield from _page(_cut(table, self.first_ms, self.end_ms), reached, left)
        if reached < self.end_ms:
            yield from self._gap(connection, collection, seen, reached, self.end_ms)

    def _gap(
        self,
        connection: ArrowConnection,
        collection: CollectionRecord,
        seen: segments.Standing | None,
        first_ms: int,
        end_ms: int,
    ) -> Iterator[Page]:
        """Give what no segment holds, and seal it: the next load finds it in segments."""
        has_all = seen is not None and set(seen.fields) == set(self.dataset.schema.by_name)
        may_seal = has_all and not self.skip_data
        with closing(self._rows(connection, collection, first_ms, end_ms)) as tables:
            for page in pages_of(tables, end_ms):
                yield page
                if may_seal and seen is not None and page.table.num_rows >= segments.SMALLEST_ROWS:
                    # A page in the middle reaches to the next one; the last one ends with its last row, since what is
                    # ingested after it should leave it alone.
                    until = None if page.end_ms == end_ms else page.end_ms
                    may_seal = self._seal(collection, seen, page.table, until)

    def _seal(self, collection: CollectionRecord, seen: segments.Standing, table: pa.Table, end_ms: int | None) -> bool:
        """Store a segment, which only makes loads faster: who may not, or has no room for it, loads all the same."""
        try:
            return segments.seal(self.connections, collection, seen, table, end_ms)
        except (AuthenticationError, LedgerUnavailable):
            return False


def _runs(headers: Sequence[segments.SegmentHeader]) -> list[list[segments.SegmentHeader]]:
    """Return the segments that follow each other without a gap."""
    runs: list[list[segments.SegmentHeader]] = []
    for header in headers:
        if runs and runs[-1][-1].end_ms == header.first_ms:
            runs[-1].append(header)
        else:
            runs.append([header])
    return runs


def _page(table: pa.Table, end_ms: int, after: int) -> Iterator[Page]:
    if table.num_rows:
        yield Page(table, end_ms, table.num_rows + after)


def _cut(table: pa.Table, first_ms: int, end_ms: int) -> pa.Table:
    times = milliseconds(table)
    start, stop = times.searchsorted([first_ms, end_ms])
    return table if (start, stop) == (0, len(times)) else table.slice(int(start), int(stop - start))
