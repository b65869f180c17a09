"""An object of JSON that is decoded on first use behaves as the dict it stands for."""

import copy
import json
import pickle

import numpy as np
import pyarrow as pa
import pytest
import xarray as xr

from tilebox_celery.datasets.frames import plain_value
from tilebox_celery.datasets.incoming_columns import to_column
from tilebox_celery.datasets.json_object import JsonObject, plain_json
from tilebox_celery.datasets.schema import Field, FieldType
from tilebox_celery.datasets.xarray_layout_columns import to_values

TEXT = '{"b":{"href":"b.tif","n":[1,2]},"a":{"href":"a.tif"}}'
VALUE = json.loads(TEXT)


def test_is_a_mapping_of_plain_values() -> None:
    """It has the items of the dict in their order, and equals it from both sides."""
    value = JsonObject(TEXT)

    assert dict(value) == VALUE
    assert list(value) == ["b", "a"]
    assert value == VALUE == value
    assert type(value["b"]) is dict
    assert "c" not in value
    with pytest.raises(KeyError):
        value["c"]


def test_nothing_is_decoded_before_it_is_used() -> None:
    """A load brings texts; a text that is no JSON shows when somebody looks."""
    values = to_values(pa.chunked_array([['{"a":', None, "[1]", '"t"', "7"]]), FieldType.JSON)

    assert values[1:].tolist() == [None, [1], "t", 7]
    with pytest.raises(ValueError, match="Expecting value"):
        len(values[0])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (TEXT, "2 assets"),
        ('{"a":{"href":"x"}}', "1 asset"),
        ("{}", "{}"),
        ('{"a":{"href":"x"},"b":1}', "{'a': {'href': 'x'}, 'b': 1}"),
    ],
)
def test_assets_print_as_their_number(text: str, shown: str) -> None:
    """Assets fill a screen, so a Dataset shows how many there are; other objects print as a dict."""
    assert repr(JsonObject(text)) == str(JsonObject(text)) == shown
    dataset = xr.Dataset({"assets": ("time", to_values(pa.chunked_array([[text]]), FieldType.JSON))}, {"time": [0]})
    assert f"(time) object 8B {shown}" in str(dataset)


def test_copies_and_pickles_are_equal() -> None:
    """Before and after it is decoded."""
    value = JsonObject(TEXT)
    for _ in range(2):
        assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == copy.copy(value) == VALUE


def test_numpy_takes_it_as_one_value() -> None:
    """A list of them is an array of objects, not a table of their keys."""
    array = np.array([JsonObject(TEXT), JsonObject(TEXT)], dtype=object)

    assert array.shape == (2,)
    assert array[0] == VALUE
    assert np.asarray(JsonObject(TEXT)).item() == VALUE


def test_is_written_as_the_object() -> None:
    """As JSON with our `default`, as a plain value and in a column; json.dumps alone says that it cannot."""
    value = JsonObject(TEXT)

    assert json.loads(json.dumps([value], default=plain_json)) == [VALUE]
    assert type(plain_value(value)) is dict
    column = to_column([value, [value], None], Field("x", FieldType.JSON))
    assert [None if each is None else json.loads(each) for each in column.to_pylist()] == [VALUE, [VALUE], None]
    for other in (value, {1, 2}):
        with pytest.raises(TypeError, match="not JSON serializable"):
            json.dumps(other, default=plain_json if isinstance(other, set) else None)
