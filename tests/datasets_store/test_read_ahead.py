"""The next part of a load is fetched in a thread, one at a time, and its errors reach whoever loads."""

import doctest
import threading
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pyarrow as pa
import pytest

from tilebox_celery.datasets.schema import FieldType
from tilebox_celery.datasets.store import ahead
from tilebox_celery.datasets.store.ahead import read_ahead
from tilebox_celery.datasets.xarray_layout_columns import FixedColumn


def test_the_example_runs() -> None:
    """The example in the docstring does what it says."""
    result = doctest.testmod(ahead)
    assert (result.attempted, result.failed) == (1, 0)


def test_one_item_is_made_while_another_is_used() -> None:
    """While the first item is in use the second is made, elsewhere, and the third is not."""
    made: list[tuple[int, bool]] = []
    second = threading.Event()

    def items() -> Iterator[int]:
        for number in range(5):
            made.append((number, threading.current_thread() is threading.main_thread()))
            if number == 1:
                second.set()
            yield number

    with closing(read_ahead(items())) as coming:
        assert next(coming) == 0
        assert second.wait(10)
        assert made == [(0, False), (1, False)]
        assert list(coming) == [1, 2, 3, 4]


def test_an_error_comes_at_its_place() -> None:
    """What was read before it is given first."""

    def items() -> Iterator[int]:
        yield 1
        raise ConnectionError("gone")

    coming = read_ahead(items())
    assert next(coming) == 1
    with pytest.raises(ConnectionError, match="gone"):
        next(coming)


def test_no_thread_outlives_an_early_end() -> None:
    """Whoever stops early leaves no thread behind, and may close the source."""
    source = (number for number in range(9))
    coming = read_ahead(source)
    next(coming)
    coming.close()
    source.close()

    assert not [each for each in threading.enumerate() if each.name.startswith("tilebox-read-ahead")]


@pytest.mark.parametrize("expected", [0, 5, 1000])
def test_a_column_has_room_for_more_or_fewer_than_expected(expected: int) -> None:
    """Values are the same whatever was expected, and much room that stays empty is given back."""
    column = FixedColumn(FieldType.INT64)
    for start in range(0, 300, 100):
        column.add(pa.chunked_array([np.arange(start, start + 100)]), expected)

    values = column.values()
    assert values.tolist() == list(range(300))
    assert (values if values.base is None else values.base).nbytes <= 8 * 400
