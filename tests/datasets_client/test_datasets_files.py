"""What was exported to a file is ingested again as it was: the same values, and the same ids in the same collection."""

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr

from tilebox_celery.datasets import Client
from tilebox_celery.datasets.export import write
from tilebox_celery.datasets.field_forms import PYTHON_TYPES
from tilebox_celery.datasets.schema import VECTOR_SIZES, FieldType

ALL = (0, "2200-01-01")
ONE = UUID(int=1)
ROW = {
    "time": "2024-08-01T10:00:00.123",
    "one_string": 'ä,"\n',
    "one_bytes": b"\x00\xff\xde\xad",
    "one_bool": True,
    "one_int32": -5,
    "one_int64": 2**53 + 1,
    "one_uint64": 2**64 - 1,
    "one_float": 0.1,
    "one_double": 0.1,
    "one_timestamp": "2024-08-01T10:00:00.123456789",
    "one_duration": timedelta(days=-1, microseconds=5),
    "one_uuid": ONE,
    "one_enum": "L1",
    "one_latlon": (48.1, 11.5),
    "one_latlonalt": (48.1, 11.5, float("nan")),
    "one_vec3": (1.0, 2.0, 3.0),
    "one_quaternion": (0.0, 0.0, 0.0, 1.0),
    "one_json": {"bands": [1, None, "ä"], "text": "5"},
    "geometry": shapely.Polygon([(0, 0), (1.123456789012345, 0), (1, 1)]),
    "many_string": ["a", "b"],
    "many_bytes": [b"\x00", b"\xff\x01"],
    "many_bool": [False, True],
    "many_int64": [1, 2],
    "many_double": [1.5, 2.5],
    "many_timestamp": [datetime(2024, 8, 1), datetime(2024, 8, 2, 0, 0, 0, 5)],
    "many_duration": [timedelta(seconds=1), timedelta(microseconds=5)],
    "many_uuid": [ONE, UUID(int=2)],
    "many_json": [{"a": 1}, "b"],
    "many_geometry": [shapely.Point(1, 2), shapely.box(0, 0, 1, 1)],
}
TEXTS = {
    "time": "2024-08-03",
    "one_json": "5",
    "one_string": "{}",
    "one_enum": "L2A",
    "geometry": shapely.Point(1, 2, 3),
}
FIELDS = [
    (name, "geometry" if name == "geometry" else kind if prefix == "one" else f"list[{kind}]")
    for name, (prefix, _, kind) in ((name, name.partition("_")) for name in ROW if name != "time")
]


@pytest.mark.parametrize("ending", [".nc", ".parquet", ".geojson"])
def test_an_exported_file_is_ingested_as_it_was(datasets_client: Client, tmp_path: Path, ending: str) -> None:
    """With fields of every type, present and absent."""
    dataset = datasets_client.create_or_update_dataset("spatiotemporal", "my.types", FIELDS)
    collection = dataset.create_collection("c")
    ids = collection.ingest([ROW, {"time": "2024-08-02"}, TEXTS])
    data = collection.load(ALL)
    file = tmp_path / f"all{ending}"

    write(data, dataset.schema, file)

    assert collection.ingest(file) == ids
    other = dataset.create_collection("d")
    other.ingest(file)
    xr.testing.assert_identical(_comparable(other.load(ALL)), _comparable(data))


def test_lists_of_a_csv_file_are_json_without_padding(datasets_client: Client, tmp_path: Path) -> None:
    """Every digit of them; what numpy prints has eight, and no commas."""
    fields = [("bands", list[int]), ("angles", list[float]), ("names", list[str]), ("center", "latlon")]
    dataset = datasets_client.create_or_update_dataset("temporal", "my.lists", fields)
    collection = dataset.create_collection("c")
    full = {"bands": [1, 2, 3], "angles": [1 / 3], "names": ["a", "b,c"], "center": (48.123456789012345, 11.5)}
    collection.ingest([{"time": "2024-08-01", **full}, {"time": "2024-08-02", "bands": [7]}, {"time": "2024-08-03"}])

    write(collection.load(ALL), dataset.schema, tmp_path / "all.csv")

    rows = pd.read_csv(tmp_path / "all.csv")
    assert rows["bands"].fillna("").to_list() == ["[1, 2, 3]", "[7]", ""]
    assert rows["names"].fillna("").to_list() == ['["a", "b,c"]', "", ""]
    assert [json.loads(rows[name][0]) for name in ("angles", "center")] == [[1 / 3], [48.123456789012345, 11.5]]


def test_features_have_lists_without_padding(datasets_client: Client, tmp_path: Path) -> None:
    """An empty list is none."""
    dataset = datasets_client.create_or_update_dataset("spatiotemporal", "my.lists", [("bands", list[int])])
    collection = dataset.create_collection("c")
    collection.ingest([{"time": 0, "bands": [1, 2, 3]}, {"time": 1, "bands": [7]}, {"time": 2}])

    write(collection.load(ALL), dataset.schema, tmp_path / "all.geojson")

    features = json.loads((tmp_path / "all.geojson").read_text())["features"]
    assert [each["properties"]["bands"] for each in features] == [[1, 2, 3], [7], None]


def test_the_row_has_every_type() -> None:
    """Each type of a field, and each Python type as one of a list."""
    names = {name for name, _ in FIELDS}

    assert {f"one_{kind}" for kind in FieldType if kind is not FieldType.GEOMETRY} <= names
    assert {f"many_{kind}" for kind in PYTHON_TYPES.values() if kind not in VECTOR_SIZES} <= names


def _comparable(data: xr.Dataset) -> xr.Dataset:
    data = data.drop_vars(["id", "ingestion_time"])
    for name, variable in data.data_vars.items():
        if variable.dtype == object:
            texts = np.array([repr(each) for each in variable.to_numpy().ravel()], dtype=object)
            data[name] = variable.copy(data=texts.reshape(variable.shape))
    return data


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import numpy as np, xarray as xr
from tilebox_celery.datasets.export import write
from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema
from tilebox_celery.errors import ArgumentError

time = np.arange(100_000).astype("datetime64[ms]").astype("datetime64[ns]")
data = xr.Dataset({"x": ("time", np.random.default_rng(0).random(100_000))}, {"time": time})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    write(data, Schema(DatasetKind.TEMPORAL, (Field("x", FieldType.DOUBLE),)), Path(sys.argv[1]))
except ArgumentError as error:
    print(error)
"""


@pytest.mark.parametrize("ending", [".nc", ".csv", ".parquet"])
def test_a_file_that_has_no_room_is_one_sentence(tmp_path: Path, ending: str) -> None:
    """Nothing is left of it, and the process ends as it should: HDF5 used to kill it afterwards."""
    file = tmp_path / f"all{ending}"

    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(file)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{file} cannot be written: File too large.\n"
    assert list(tmp_path.iterdir()) == []
