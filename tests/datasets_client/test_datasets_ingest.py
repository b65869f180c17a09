"""Getting data in: every form, atomic, idempotent, and out again."""

import asyncio
import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyarrow as pa
import pystac
import pytest
import shapely

from tilebox_celery.datasets import Client, aio
from tilebox_celery.datasets.sync.dataset import Dataset
from tilebox_celery.errors import ArgumentError, NotFoundError

ITEMS = Path(__file__).parents[1] / "data" / "stac" / "landsat-c2-l2.json"
ALL = ("1970-01-01", "2100-01-01")
ROWS = [
    {"time": "2024-08-01T12:00:00.5", "name": "a", "height": 1, "geometry": shapely.Point(7, 51)},
    {"time": "2024-08-02", "name": "b", "height": 2, "geometry": shapely.Point(8, 52)},
]


@pytest.fixture
def scenes(datasets_client: Client) -> Dataset:
    """A small spatiotemporal dataset."""
    return datasets_client.create_or_update_dataset("spatiotemporal", "my.scenes", [("name", str), ("height", int)])


def columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """The same as columns."""
    return {name: [row[name] for row in rows] for name in rows[0]}


FORMS = {
    "records": lambda rows: rows,
    "a generator": iter,
    "columns": columns,
    "DataFrame": pd.DataFrame,
    "GeoDataFrame": lambda rows: gpd.GeoDataFrame(rows, geometry="geometry", crs=4326),
    "GeoJSON": lambda rows: {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": shapely.geometry.mapping(row["geometry"]),
                "properties": {name: value for name, value in row.items() if name != "geometry"},
            }
            for row in rows
        ],
    },
}


@pytest.mark.clause("2.datasets-3")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.clause("d1.7-7")
def test_every_form_stores_the_same_datapoints(scenes: Dataset, form: str) -> None:
    """Records, columns, frames and features of the same values get the same ids, so a second form adds nothing."""
    collection = scenes.create_collection("c")
    first = collection.ingest(ROWS)

    again = collection.ingest(FORMS[form](ROWS))  # type: ignore[no-untyped-call]  # lambdas

    assert again == first
    assert collection.info().count == 2


def test_records_come_in_json_files(scenes: Dataset, tmp_path: Path) -> None:
    """As a list, or one a line: what is no feature is a row; a bad one is named by its number."""
    collection = scenes.create_collection("c")
    rows = [{"time": "2024-08-01", "name": "a"}, {"time": "2024-08-02", "name": None}]
    ids = collection.ingest(rows)

    (tmp_path / "rows.json").write_text(json.dumps(rows))
    (tmp_path / "rows.ndjson").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "bad.ndjson").write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"name": "c"}]))

    assert collection.ingest(tmp_path / "rows.json") == ids
    assert collection.ingest(tmp_path / "rows.ndjson") == ids
    with pytest.raises(ArgumentError, match="Row 2, field 'time': the time is missing"):
        collection.ingest(tmp_path / "bad.ndjson")


@pytest.mark.clause("d1.7-8")
def test_what_was_loaded_can_be_ingested_again(scenes: Dataset, tmp_path: Path) -> None:
    """A load, and what an export of it holds, are ingested as the same datapoints."""
    from tilebox_celery.datasets.export import write

    collection = scenes.create_collection("c")
    ids = collection.ingest(ROWS)
    data = collection.load(ALL)

    assert collection.ingest(data) == ids
    for ending in (".nc", ".parquet"):
        write(data, scenes.schema, tmp_path / f"out{ending}")
        assert collection.ingest(tmp_path / f"out{ending}") == ids
    assert collection.info().count == 2


def test_stac_items_come_in_every_form(datasets_client: Client) -> None:
    """A path, a dict and pystac objects of the same real items store the same datapoints."""
    from tilebox_celery.datasets.ingesting import infer

    schema = infer(ITEMS)
    dataset = datasets_client.create_or_update_dataset(schema.kind, "my.landsat", schema.fields)
    collection = dataset.create_collection("all")
    document = json.loads(ITEMS.read_bytes())

    ids = collection.ingest(ITEMS)

    assert len(set(ids)) == 4
    assert collection.ingest(document) == ids
    assert collection.ingest(pystac.ItemCollection.from_dict(document)) == ids
    data = collection.load(ALL)
    assert set(data["stac_id"].to_numpy()) == {item["id"] for item in document["features"]}
    wanted = {item["id"]: item["assets"]["red"]["href"] for item in document["features"] if "red" in item["assets"]}
    found = {name: assets["red"]["href"] for name, assets in zip(
        data["stac_id"].to_numpy(), data["assets"].to_numpy(), strict=True) if "red" in assets}  # fmt: skip
    assert found == wanted
    assert found


def test_a_bad_row_stores_nothing(scenes: Dataset) -> None:
    """A row that does not fit is named with its number, field and reason, and no row is stored."""
    collection = scenes.create_collection("c")

    with pytest.raises(ArgumentError, match=r"(?s)1.*height"):
        collection.ingest([ROWS[0], ROWS[1] | {"height": "tall"}])

    assert collection.info().count == 0


def test_features_that_are_no_list_are_one_sentence(scenes: Dataset) -> None:
    """A FeatureCollection that is broken is no reason for a KeyError."""
    with pytest.raises(ArgumentError, match="holds no STAC items but 'FeatureCollection'"):
        scenes.create_collection("c").ingest({"type": "FeatureCollection", "features": {"a": 1}})


@pytest.mark.parametrize("nothing", [None, 0, "", b""])
def test_nothing_is_no_data(scenes: Dataset, nothing: object) -> None:
    """What holds no datapoints at all, not even none of them, is refused."""
    with pytest.raises(ArgumentError, match="pass records"):
        scenes.create_collection("c").ingest(nothing)


@pytest.mark.clause("2.datasets-3")
@pytest.mark.clause("d1.7-9")
def test_deleted_datapoints_are_gone(scenes: Dataset) -> None:
    """delete takes ids or a load, and says how many there were."""
    collection = scenes.create_collection("c")
    ids = collection.ingest(ROWS)

    assert collection.delete(ids[0]) == 1
    assert collection.delete(collection.load(ALL)) == 1
    assert collection.delete(ids) == 0
    assert collection.info().count == 0
    collection.ingest(ROWS)
    assert collection.delete(collection.load(ALL)["id"]) == 2


@pytest.mark.clause("2.datasets-1")
@pytest.mark.clause("d1.7-6")
def test_fields_may_be_added_and_not_lost(datasets_client: Client, scenes: Dataset) -> None:
    """A new field is absent in old datapoints; a type that changes and a field that goes are refused."""
    collection = scenes.create_collection("c")
    collection.ingest(ROWS)

    wider = datasets_client.create_or_update_dataset(
        "spatiotemporal", "my.scenes", [("name", str), ("height", int), ("cloud_cover", float)]
    )

    assert wider.collection("c").load(ALL)["cloud_cover"].isnull().all()
    for fields in ([("name", str)], [("name", str), ("height", str), ("cloud_cover", float)]):
        with pytest.raises(ArgumentError, match="height"):
            datasets_client.create_or_update_dataset("spatiotemporal", "my.scenes", fields)


@pytest.mark.clause("2.datasets-1")
@pytest.mark.clause("d1.7-6")
def test_a_deleted_collection_is_not_found(scenes: Dataset) -> None:
    """delete_collection removes a collection with its datapoints; a new one of its name is empty."""
    collection = scenes.create_collection("c")
    collection.ingest(ROWS)

    scenes.delete_collection("c")

    assert scenes.collections() == {}
    assert scenes.create_collection("c").info().count == 0


@pytest.mark.clause("2.datasets-1")
def test_a_deleted_dataset_is_not_found(datasets_client: Client, scenes: Dataset, ledger_url: str) -> None:
    """delete_dataset refuses datapoints unless it is forced, in both clients, and says how many there were."""
    scenes.create_collection("c").ingest(ROWS)
    datasets_client.create_or_update_dataset("temporal", "my.other", [])

    async def delete() -> list[int]:
        client = aio.Client(ledger_url)
        deleted = [await client.delete_dataset("my.other"), await client.delete_dataset("my.scenes", force=True)]
        await client.close()
        return deleted

    with pytest.raises(ArgumentError, match=r"'my\.scenes' has 2 datapoints .* force=True"):
        datasets_client.delete_dataset("my.scenes")
    assert asyncio.run(delete()) == [0, 2]
    assert list(datasets_client.datasets()) == []
    with pytest.raises(NotFoundError, match=r"No such dataset 'my\.scenes'"):
        datasets_client.delete_dataset("my.scenes")


def test_a_dataset_is_renamed_without_naming_its_fields(datasets_client: Client, scenes: Dataset) -> None:
    """No fields are those that it has; some of them would lose the others, and the sentence says what to do."""
    scenes.create_collection("c").ingest([{"time": 0, "name": "a"}])

    renamed = datasets_client.create_or_update_dataset("spatiotemporal", scenes.slug, name="Mine")

    assert (renamed.name, renamed.fields) == ("Mine", scenes.fields)
    with pytest.raises(ArgumentError, match="would lose data of them: name the fields that it has beside new ones, or"):
        datasets_client.create_or_update_dataset("spatiotemporal", scenes.slug, [("new", int)])


def test_a_reader_of_arrow_is_ingested_as_one_table(scenes: Dataset) -> None:
    """It is an iterator, but not one of records."""
    collection = scenes.create_collection("c")
    table = pa.table({"time": [0, 1], "name": ["a", "b"]})

    assert collection.ingest(table.to_reader()) == collection.ingest(table)
    with pytest.raises(ArgumentError, match="Cannot read datapoints from a Series"):
        collection.ingest(pd.Series([1]))
