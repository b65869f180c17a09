"""What the documents print of datasets, byte for byte."""

import importlib
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import xarray as xr

from tests.datasets.datapoint_tables import make_table
from tilebox_celery.datasets import Client, CollectionInfo, TimeInterval, open_data
from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema
from tilebox_celery.datasets.xarray_layout import to_datapoint, to_xarray
from tilebox_celery.errors import AuthenticationError

BYTES = {
    FieldType.STRING: 8, FieldType.BYTES: 8, FieldType.GEOMETRY: 8, FieldType.JSON: 8, FieldType.BOOL: 1,
    FieldType.INT32: 4, FieldType.INT64: 8, FieldType.UINT64: 8, FieldType.FLOAT: 4, FieldType.DOUBLE: 8,
    FieldType.TIMESTAMP: 8, FieldType.DURATION: 8, FieldType.UUID: 36 * 4, FieldType.LATLON: 16,
    FieldType.LATLONALT: 24, FieldType.VEC3: 24, FieldType.QUATERNION: 32,
}  # fmt: skip
"""Of one value as numpy has it; an enum has 4 for each character of its longest name."""
METADATA, LABELS = 160, 72
SHARED = {
    "granule_name": "string",
    "geometry": "geometry",
    "copernicus_id": "uuid",
    "online": "bool",
    "center": "latlon",
}
SENTINEL1_ENUMS = {
    "processing_level": "L1", "flight_direction": "DESCENDING", "satellite": "SENTINEL-1A", "polarization": "VV+VH",
    "product_type": "IW_GRDH_1S", "acquisition_mode": "IW", "instrument": "SAR-C", "resolution": "FULL",
}  # fmt: skip
LANDSAT8_ENUMS = {
    "processing_level": "L1", "flight_direction": "DESCENDING", "instrument": "OLI_TIRS", "product_type": "L1GT",
    "station": "LGN0",
}  # fmt: skip


def shape(numbers: list[str], enums: dict[str, str]) -> tuple[Schema, dict[str, Any]]:
    """Return a schema of fields that the documents print, and a row of it."""
    kinds = SHARED | dict.fromkeys(enums, "enum") | dict.fromkeys(numbers, "int64")
    fields = tuple(Field(name, FieldType(kind)) for name, kind in kinds.items())
    return Schema(DatasetKind.SPATIOTEMPORAL, fields), {"time": 0, **enums}


SENTINEL1 = shape([f"number_{each}" for each in range(15)], SENTINEL1_ENUMS)
LANDSAT8 = shape(["bands", "path", "row", *(f"number_{each}" for each in range(15))], LANDSAT8_ENUMS)


@pytest.mark.clause("d1.4-4", "d1.4-5")
@pytest.mark.parametrize(
    ("documented", "bytes_each", "one", "rows", "many"),
    [(SENTINEL1, 653, "725B", 50, "33kB"), (LANDSAT8, 593, "665B", 514, "305kB")],
    ids=["Sentinel-1", "Landsat-8"],
)
def test_sizes_are_those_of_the_documents(
    documented: tuple[Schema, dict[str, Any]], bytes_each: int, one: str, rows: int, many: str
) -> None:
    """28 fields of the documents' types print the documents' sizes, for one datapoint and for many."""
    schema, row = documented
    assert len(schema.fields) == 28

    found = to_datapoint(make_table([row], schema), schema)
    loaded = to_xarray(make_table([row] * rows, schema), schema)

    assert repr(found).startswith(f"<xarray.Dataset> Size: {one}\n")
    assert repr(loaded).startswith(f"<xarray.Dataset> Size: {many}\n")
    assert loaded.nbytes == rows * bytes_each + LABELS
    assert "Data variables: (12/28)\n" in repr(loaded)


@pytest.mark.clause("d1.4-6")
@pytest.mark.parametrize("slug", [each.slug for each in open_data.catalog()])
def test_catalog_datapoints_take_what_their_fields_take(slug: str) -> None:
    """The size of a datapoint of the catalog is that of its fields; arrays count as long as they are."""
    schema = open_data.find_open_dataset(slug).schema
    enums = [field.name for field in schema.fields if field.type is FieldType.ENUM]
    row = {"time": 0, "proj_shape": [10980, 10980], **dict.fromkeys(enums, "L1")}

    found = to_datapoint(make_table([row], schema), schema)

    plain = [field.type for field in schema.fields if not field.is_array and field.name not in enums]
    labels = LABELS if FieldType.LATLON in plain else 0
    expected = METADATA + labels + sum(BYTES[each] for each in plain) + 8 * len(enums) + 16
    assert repr(found).startswith(f"<xarray.Dataset> Size: {expected}B\n")


@pytest.mark.clause("d1.4-1", "d1.4-2", "d1.4-3", "d1.4-7")
def test_one_datapoint_prints_as_documented(datasets_client: Client) -> None:
    """find prints its scalar coordinates with their types and sizes; without data there is nothing else."""
    schema = SENTINEL1[0]
    dataset = datasets_client.create_or_update_dataset("spatiotemporal", "my.sentinel1", schema.fields)
    collection = dataset.create_collection("S1A")
    [identifier] = collection.ingest([{"time": "2024-08-01T00:00:01.362", **SENTINEL1_ENUMS}])

    found, metadata = collection.find(identifier), collection.find(identifier, True)

    lines = {" ".join(line.split()) for line in repr(found).splitlines()}
    assert {"<xarray.Dataset> Size: 725B", "Dimensions: (latlon: 2)"} <= lines
    assert "* latlon (latlon) <U9 72B 'latitude' 'longitude'" in lines
    assert f"id <U36 144B '{identifier}'" in lines
    assert "time datetime64[ns] 8B 2024-08-01T00:00:01.362000" in lines
    assert list(found.coords) == ["ingestion_time", "id", "time", "latlon"]
    assert repr(metadata).splitlines()[0] == "<xarray.Dataset> Size: 160B"
    assert repr(metadata).splitlines()[-2:] == ["Data variables:", "    *empty*"]
    assert repr(xr.Dataset()) == repr(collection.load("1999-01-01"))
    assert repr(collection.load("1999-01-01")).split() == [
        *("<xarray.Dataset>", "Size:", "0B", "Dimensions:", "()", "Data", "variables:", "*empty*")
    ]


@pytest.mark.clause("d1.2-1", "d1.2-2", "d1.2-4")
def test_collections_print_as_documented(datasets_client: Client) -> None:
    """A dict of collections prints each with its first and last millisecond and its count."""
    dataset = datasets_client.create_or_update_dataset("temporal", "my.landsat8", [])
    collection = dataset.create_collection("L1GT")
    dataset.create_collection("L1TP")
    collection.ingest([{"time": "2013-03-25T12:08:43.699"}, {"time": "2024-08-19T12:57:32.456"}])

    span = "[2013-03-25T12:08:43.699 UTC, 2024-08-19T12:57:32.456 UTC]"
    assert str(dataset.collections()) == (
        f"{{'L1GT': Collection L1GT: {span} (2 data points), 'L1TP': Collection L1TP: <empty> (0 data points)}}"
    )
    assert str(collection.info()) == f"L1GT: {span} (2 data points)"
    assert collection.info().availability == TimeInterval(
        datetime(2013, 3, 25, 12, 8, 43, 699000), datetime(2024, 8, 19, 12, 57, 32, 456000), end_inclusive=True
    )
    assert str(CollectionInfo("L1GT", collection.info().availability, 154288)) == f"L1GT: {span} (154288 data points)"


@pytest.mark.clause("d1.2-3")
def test_unknown_and_empty_availability_differ() -> None:
    """What nobody counted is unknown, what holds nothing is empty."""
    assert str(CollectionInfo("L1GT", None, None)) == "L1GT: <availability unknown>"
    assert repr(CollectionInfo("L1GT", None, 0)) == "Collection L1GT: <empty> (0 data points)"


@pytest.mark.clause("d1.1-1", "d1.1-3")
def test_a_login_that_is_refused_shows_at_the_first_request(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The constructor takes any URL and token and contacts nobody; datasets() raises, and shows neither password."""
    monkeypatch.setenv("TILEBOX_API_KEY", "key-from-environment")
    client = Client(urlsplit(ledger_url)._replace(netloc="stranger:hidden@").geturl(), "no-such-key")
    shown = [repr(client), repr(Client(ledger_url))]

    with pytest.raises(AuthenticationError, match=r"stranger:\*\*\*@.* refused the login") as caught:
        client.datasets()

    for secret in ("hidden", "no-such-key", "key-from-environment"):
        assert secret not in "".join([*shown, str(caught.value)])


@pytest.mark.clause("d1.1-8", "d1.3-5")
def test_flags_by_position_and_part_of_the_metadata(datasets_client: Client) -> None:
    """load(time, skip_data, show_progress) by position; times of a load select at least its rows."""
    collection = datasets_client.create_or_update_dataset("temporal", "my.points", [("n", int)]).create_collection("c")
    start = datetime(2024, 8, 1)
    collection.ingest([{"time": start + timedelta(milliseconds=n // 4), "n": n} for n in range(100)])
    fractions: list[float] = []

    meta = collection.load(("2024-08-01", "2024-08-02"), True, fractions.append)
    some = collection.load(meta.time[:50], False)

    assert (meta.sizes, list(meta.data_vars), fractions[-1]) == ({"time": 100}, [], 1.0)
    assert some.sizes["time"] == 52  # the four of the 50th one's millisecond
    assert sorted(some["n"].to_numpy().tolist()) == list(range(52))
    assert some.identical(collection.load(meta.time[:50], skip_data=False, show_progress=False))


@pytest.mark.clause("d1.1-13")
@pytest.mark.parametrize("module", ["sync", "aio"])
def test_collections_can_be_imported_for_hints(module: str) -> None:
    """The class of a collection is that of the documented module."""
    imported = importlib.import_module(f"tilebox_celery.datasets.{module}.timeseries").TimeseriesCollection
    assert imported.__module__ == f"tilebox_celery.datasets.{module}.timeseries"
    assert {"info", "load", "find"} <= set(dir(imported))
