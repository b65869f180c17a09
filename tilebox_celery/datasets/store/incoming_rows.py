"""Turn a canonical table into what COPY appends: sorted, without repeated ids, with bounding boxes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tilebox_celery.datasets.schema import DatasetKind
from tilebox_celery.datasets.spatial import bounding_boxes
from tilebox_celery.datasets.store.columns import column_name, to_stored
from tilebox_celery.datasets.store.records import CollectionRecord

SLICE_ROWS = 8_192
SLICE_BYTES = 16 << 20
"""Converted at once: a large table is never held twice, and memory that was just used is used again."""
SENT_ROWS = 128
"""Sent at once: the driver writes all of a batch before it sends any, and the server stores the one before meanwhile if
that has fitted into the socket's buffer."""


def milliseconds(table: pa.Table) -> np.ndarray:
    """Return the times of a table as int64."""
    times = table.column("time").combine_chunks()
    result: np.ndarray = times.cast(pa.timestamp("ms")).view(pa.int64()).to_numpy()
    return result


def id_bytes(table: pa.Table) -> np.ndarray:
    """Return the ids of a table as an array of two big-endian numbers each."""
    ids = table.column("id").combine_chunks()
    buffer = ids.buffers()[1]
    return np.frombuffer(buffer, ">u8", count=2 * len(ids), offset=16 * ids.offset).reshape(-1, 2)


@dataclass(frozen=True)
class SortedRows:
    """Rows in the order of (time, id), each id once; they are put in order slice by slice, never all at once.

    Args:
        table: The rows as they came.
        times: Their milliseconds, in order.
        ids: Their ids as `id_bytes` gives them, in order.
        places: Where each row is in the table.
    """

    table: pa.Table
    times: np.ndarray
    ids: np.ndarray
    places: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def only(self, is_kept: np.ndarray) -> "SortedRows":
        """Return some of the rows."""
        if is_kept.all():
            return self
        return SortedRows(self.table, self.times[is_kept], self.ids[is_kept], self.places[is_kept])

    def slices(self, rows: int) -> Iterator[pa.Table]:
        """Yield tables of at most so many rows."""
        is_in_place = bool((np.diff(self.places) == 1).all())
        table = self.table if is_in_place else self.table.combine_chunks()  # else each slice would put them together
        for start in range(0, len(self), rows):
            places = self.places[start : start + rows]
            yield table.slice(places[0], len(places)) if is_in_place else table.take(pa.array(places))


def sorted_rows(table: pa.Table) -> SortedRows:
    """Return rows sorted by (time, id), each id once: neighbours share pages of the index."""
    times, ids = milliseconds(table), id_bytes(table)
    numbers = ids.astype(np.uint64)
    order = np.lexsort((numbers[:, 1], numbers[:, 0], times))
    times, ids = times[order], ids[order]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (times[1:] != times[:-1]) | (ids[1:] != ids[:-1]).any(axis=1)
    return SortedRows(table, times, ids, order).only(is_new)


def stored_batches(collection: CollectionRecord, rows: SortedRows) -> pa.RecordBatchReader:
    """Return rows as COPY takes them."""
    first = _stored(collection, rows.table.slice(0, 0))
    batches = (
        stored.slice(part, SENT_ROWS)
        for table in rows.slices(_rows_at_once(rows.table))
        for stored in [_stored(collection, table)]
        for part in range(0, stored.num_rows, SENT_ROWS)
    )
    return pa.RecordBatchReader.from_batches(first.schema, batches)


def _rows_at_once(table: pa.Table) -> int:
    fitting: int = SLICE_BYTES * table.num_rows // max(table.nbytes, 1)
    return max(SENT_ROWS, min(SLICE_ROWS, fitting))


def _stored(collection: CollectionRecord, table: pa.Table) -> pa.RecordBatch:
    schema = collection.dataset.schema
    columns: dict[str, pa.Array] = {
        "_collection": pa.array(np.full(table.num_rows, collection.key, np.int32)),
        "time": pa.array(milliseconds(table)),
        "id": table.column("id").combine_chunks(),
    }
    for field in schema.fields:
        columns[column_name(field.name)] = to_stored(table.column(field.name).combine_chunks(), field)
    if schema.kind is DatasetKind.SPATIOTEMPORAL:
        columns["_box"], columns["_wrapped"] = bounding_boxes(table.column("geometry").combine_chunks())
    return pa.record_batch(columns)
