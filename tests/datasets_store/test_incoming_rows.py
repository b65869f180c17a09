"""Rows on their way into the database are sorted, each once, whatever their order and their chunks were."""

import numpy as np
import pyarrow as pa
import pytest

from tilebox_celery.datasets.store.incoming_rows import sorted_rows

COUNT = 1_000


def table_of(numbers: np.ndarray) -> pa.Table:
    """Rows of which the number tells time and id: two share each millisecond."""
    ids = np.zeros((len(numbers), 2), ">u8")
    ids[:, 1] = numbers
    return pa.table(
        {
            "time": pa.array(numbers // 2, pa.timestamp("ms")),
            "id": pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), len(numbers), [None, pa.py_buffer(ids)]),
            "number": numbers,
        }
    )


@pytest.mark.parametrize("chunk", [COUNT * 2, 300])
@pytest.mark.parametrize("in_order", [True, False])
def test_slices_are_sorted_and_hold_each_id_once(in_order: bool, chunk: int) -> None:
    """Slices of any size, one after another, are all rows in the order of time and id."""
    numbers = np.arange(COUNT) if in_order else np.random.default_rng(0).permutation(np.arange(2 * COUNT) % COUNT)
    table = pa.concat_tables([table_of(part) for part in np.array_split(numbers, -(-len(numbers) // chunk))])

    rows = sorted_rows(table)
    slices = list(rows.slices(70))

    assert len(rows) == COUNT
    assert {len(each) for each in slices[:-1]} == {70}
    assert pa.concat_tables(slices).column("number").to_pylist() == list(range(COUNT))
    assert rows.times.tolist() == [number // 2 for number in range(COUNT)]


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("step", [1, -1])
def test_some_of_the_rows_are_kept(step: int, start: int) -> None:
    """What is there already is left out of times, ids and slices alike."""
    rows = sorted_rows(table_of(np.arange(COUNT)[::step].copy()))
    is_kept = np.arange(COUNT) % 2 == start

    kept = rows.only(is_kept)

    expected = list(range(start, COUNT, 2))
    assert pa.concat_tables(kept.slices(64)).column("number").to_pylist() == expected
    assert kept.ids[:, 1].tolist() == expected
    assert rows.only(np.ones(COUNT, bool)) is rows


def test_no_row_is_sorted_too() -> None:
    """A table without rows, and without chunks, gives no slice."""
    rows = sorted_rows(pa.table(table_of(np.arange(1)).schema.empty_table()))

    assert len(rows) == 0
    assert list(rows.slices(10)) == []
