"""Turn a canonical table into what COPY appends: sorted, without repeated ids, with bounding boxes."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from tilebox_celery.datasets.schema import DatasetKind
from tilebox_celery.datasets.spatial import bounding_boxes
from tilebox_celery.datasets.store.columns import column_name, to_stored
from tilebox_celery.datasets.store.records import CollectionRecord

SLICE_ROWS = 65_536
"""Converted at once: a large table is never held twice."""
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


def sorted_rows(table: pa.Table) -> pa.Table:
    """Return rows sorted by (time, id), each id once: neighbours share pages of the index."""
    if table.num_rows == 0:
        return table
    times, ids = milliseconds(table), id_bytes(table).astype(np.uint64)
    order = np.lexsort((ids[:, 1], ids[:, 0], times))
    times, ids = times[order], ids[order]
    is_new = np.ones(len(order), bool)
    is_new[1:] = (times[1:] != times[:-1]) | (ids[1:] != ids[:-1]).any(axis=1)
    if is_new.all() and (order[1:] > order[:-1]).all():
        return table
    return table.take(pa.array(order[is_new]))


def stored_batches(collection: CollectionRecord, table: pa.Table) -> pa.RecordBatchReader:
    """Return rows as COPY takes them."""
    first = _stored(collection, table.slice(0, 0))

    def batches() -> Iterator[pa.RecordBatch]:
        for start in range(0, table.num_rows, SLICE_ROWS):
            stored = _stored(collection, table.slice(start, SLICE_ROWS))
            yield from (stored.slice(part, SENT_ROWS) for part in range(0, stored.num_rows, SENT_ROWS))

    return pa.RecordBatchReader.from_batches(first.schema, batches())


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
