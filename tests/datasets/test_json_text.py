"""The text of JSON is that of Python's own module, made faster."""

import json
from datetime import datetime
from enum import IntEnum
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tilebox_celery.datasets.incoming import to_table
from tilebox_celery.datasets.json_text import canonical_dumps, is_canonical, strict_dumps
from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema

TEXT = st.text('ae-17"\\\\,: é', max_size=12)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
EDGES = [1e-4, 1e-5, 1.5e-6, 1e15, 1e16, 1e17, 1e22, 5e-324, -0.0]


class Polarization(IntEnum):
    """An enum of Python, which its module writes as a number."""

    VV = 1


def text_by_python(value: Any) -> str:
    """Return what Python's module writes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


@given(JSON)
@example({"scale": 2.75e-05, 'a"e-7,': ["e-7", 1e-7, 'x\\\\"', 1e-9, 1e-10]})
@example(EDGES)
@example(["\x7f", "\x1f", "\u2028"])
def test_the_text_is_that_of_pythons_module(value: Any) -> None:
    """Whichever way a value comes, its text is the same, since ids are made of it."""
    text = text_by_python(value)

    assert canonical_dumps(value) == text
    assert strict_dumps(value) == text
    assert is_canonical(text)


@pytest.mark.parametrize("value", [(1, 2), {2: "a", 1: 2}, 1 << 70, Polarization.VV, {"a": (True, 1.0)}, "\ud800"])
def test_what_only_python_writes_has_pythons_text(value: Any) -> None:
    """Values that the fast writer does not take, or writes in its own way, are written by Python's module."""
    assert strict_dumps(value) == text_by_python(value)


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], datetime(2024, 1, 1), np.int64(7), {"a": {1, 2}}])
def test_what_is_no_json_is_refused(value: Any) -> None:
    """Times and numbers that are not finite are no JSON, though the fast writer takes them."""
    with pytest.raises((TypeError, ValueError)):
        strict_dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1}',
        '{"b":1,"a":2}',
        '{"a":1,"a":1}',
        "12345678901234567890123",
        "1e5",
        "1e-7",
        '"\u00e9"',
        '"\\u0000"',
        "NaN",
        '{"a":',
    ],
)
def test_a_text_in_another_form_is_not_canonical(text: str) -> None:
    """Spaces, the order of keys, numbers and letters in another form are noticed, and what is no JSON."""
    assert not is_canonical(text)


@given(JSON.filter(lambda value: value is not None) | st.integers(2**64, 2**80))
@example(EDGES)
def test_texts_in_arrow_are_written_anew(value: Any) -> None:
    """A text of a JSON column becomes the one text of its value, also where the fast reader would lose digits."""
    schema = Schema(DatasetKind.TEMPORAL, (Field("meta", FieldType.JSON),))
    texts = [text_by_python(value), json.dumps(value, indent=1, ensure_ascii=False), "null", None]
    table = pa.table({"time": [0, 1, 2, 3], "meta": pa.array(texts, pa.string())})

    stored = to_table(table, schema).column("meta").to_pylist()

    assert stored == [text_by_python(value), text_by_python(value), None, None]
