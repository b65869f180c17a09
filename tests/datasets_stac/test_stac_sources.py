"""STAC items come in many forms, and each gives the same items."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pystac
import pytest

from tilebox_celery.datasets import stac
from tilebox_celery.errors import ArgumentError


def read_all(source: Any) -> list[dict[str, Any]]:
    """Return the items of all chunks."""
    return [item for items in stac.read_items(source) for item in items]


def test_an_item_collection_and_its_items_are_the_same(sentinel2_items: list[dict[str, Any]]) -> None:
    """A collection, a list, an iterator and one item are read as they are."""
    collection = {"type": "FeatureCollection", "features": sentinel2_items}

    assert read_all(collection) == sentinel2_items
    assert read_all(sentinel2_items) == sentinel2_items
    assert read_all(iter(sentinel2_items)) == sentinel2_items
    assert read_all(sentinel2_items[0]) == sentinel2_items[:1]


def test_objects_of_pystac_give_the_table_of_their_dicts(landsat_items: list[dict[str, Any]]) -> None:
    """An Item, a list of them, an ItemCollection and a Catalog give the same datapoints as their JSON."""
    schema = stac.infer_schema(landsat_items)
    expected = stac.items_to_table(landsat_items, schema)
    items = [pystac.Item.from_dict(item) for item in landsat_items]
    catalog = pystac.Catalog("c", "A catalog.")
    catalog.add_items([item.clone() for item in items])

    for source in (items, pystac.ItemCollection(items), catalog):
        assert pa.concat_tables(stac.read_tables(source, schema)).select(["time", "stac_id", "granule_name"]) == (
            expected.select(["time", "stac_id", "granule_name"])
        )
    assert read_all(items[0])[0]["assets"]["red"]["href"] == landsat_items[0]["assets"]["red"]["href"]


@pytest.mark.parametrize("ending", ["json", "geojson", "ndjson", "jsonl"])
def test_files_are_read_by_their_ending(tmp_path: Path, ending: str, sentinel1_items: list[dict[str, Any]]) -> None:
    """JSON and one item a line hold the same items; empty lines do not count."""
    path = tmp_path / f"items.{ending}"
    lines = "\n\n".join(json.dumps(item) for item in sentinel1_items)
    path.write_text(lines if ending.endswith(("ndjson", "jsonl")) else json.dumps({"features": sentinel1_items}))

    assert read_all(path) == sentinel1_items
    assert read_all(str(path)) == sentinel1_items


def test_stac_geoparquet_gives_the_table_of_the_json(stac_data: Path, sentinel1_items: list[dict[str, Any]]) -> None:
    """A file that stac-geoparquet wrote holds the same datapoints, down to the text of their assets."""
    schema = stac.infer_schema(sentinel1_items)

    from_parquet = pa.concat_tables(stac.read_tables(stac_data / "sentinel-1-rtc.parquet", schema))

    expected = stac.items_to_table(sentinel1_items, schema)
    for name in expected.column_names:
        assert from_parquet[name].to_pylist() == expected[name].to_pylist(), name


def test_chunks_hold_at_most_as_many_items_as_asked(sentinel2_items: list[dict[str, Any]]) -> None:
    """Items come some at a time, and an endless source is read only as far as it is used."""

    def endless() -> Any:
        while True:
            yield from sentinel2_items

    chunks = stac.read_items(endless(), chunk_items=10)

    assert [len(next(chunks)), len(next(chunks))] == [10, 10]


def test_a_static_catalog_in_files_is_walked(tmp_path: Path, sentinel1_items: list[dict[str, Any]]) -> None:
    """The items that a catalog and its children link to are read once each, though the links go in circles."""
    (tmp_path / "child").mkdir()
    for number, item in enumerate(sentinel1_items):
        (tmp_path / "child" / f"{number}.json").write_text(json.dumps(item))
    links = [{"rel": "item", "href": f"./{number}.json"} for number in range(len(sentinel1_items))]
    child = {"type": "Collection", "links": [*links, links[0], {"rel": "child", "href": "../catalog.json"}]}
    (tmp_path / "child" / "collection.json").write_text(json.dumps(child))
    catalog = {"type": "Catalog", "links": [{"rel": "child", "href": "./child/collection.json"}] * 2}
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))

    assert read_all(tmp_path / "catalog.json") == sentinel1_items


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("items.csv", "", r"items.csv cannot be read: files of STAC items end with one of .json"),
        ("items.json", None, r"items.json cannot be read: there is no such file"),
        ("items.json", '{"a": 1}\n{"a": 2}', r"items.json is no JSON .*name a file of one item a line .ndjson"),
        (
            "items.json",
            '{"type": "Topology"}',
            r"items.json holds no STAC items but 'Topology': pass an ItemCollection",
        ),
        ("items.ndjson", '{"a": 1}\n{"a": ', r"items.ndjson, line 2, is no JSON"),
        ("items.parquet", "PAR1 no", r"items.parquet is no Parquet file"),
    ],
)
def test_what_holds_no_items_is_refused(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    """Other files, missing ones and broken ones get one sentence that names the file."""
    path = tmp_path / name
    if content is not None:
        path.write_text(content)

    with pytest.raises(ArgumentError, match=message):
        read_all(path)


def test_other_parquet_is_refused(tmp_path: Path) -> None:
    """A table without items names what it lacks."""
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "a.parquet")

    with pytest.raises(ArgumentError, match=r"a.parquet is no stac-geoparquet: it has no column 'geometry'"):
        read_all(tmp_path / "a.parquet")


def test_other_objects_are_refused() -> None:
    """A number is no source."""
    with pytest.raises(ArgumentError, match="A int is no source of STAC items: pass items"):
        read_all(3)
