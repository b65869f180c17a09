"""The assets of real STAC items: nothing is lost on the way through a dataset, and each becomes a typed asset."""

import json
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

from tilebox_celery.datasets import Client
from tilebox_celery.datasets.assets import (
    Asset,
    AssetCollection,
    AssetLocation,
    DataType,
    EOProperties,
    File,
    MediaType,
    Projection,
    RasterProperties,
)
from tilebox_celery.datasets.ingesting import infer
from tilebox_celery.datasets.json_object import JsonObject
from tilebox_celery.datasets.sync.open_data import create_open_dataset, read_open_tables
from tilebox_celery.datasets.sync.timeseries import TimeseriesCollection
from tilebox_celery.errors import ArgumentError

DATA = Path(__file__).parents[1] / "data" / "stac"
ALL = ("1970-01-01", "2100-01-01")
FILES = {
    "landsat-c2-l2": "open_data.copernicus.landsat8_oli_tirs",
    "sentinel-1-rtc": "open_data.copernicus.sentinel1_sar",
    "sentinel-2-l2a-africa-2020-06-06": "open_data.copernicus.sentinel2_msi",
    "sentinel-2-l2a-35MNM-2020-jun-jul": "open_data.copernicus.sentinel2_msi",
}


def items_of(name: str) -> dict[str, Any]:
    """The real items of a file by their ids."""
    return {item["id"]: item for item in json.loads((DATA / f"{name}.json").read_bytes())["features"]}


def as_tuple(values: list[Any] | None) -> tuple[Any, ...] | None:
    """A list as the typed values have it."""
    return None if values is None else tuple(values)


def in_own_dataset(client: Client, name: str) -> tuple[xr.Dataset, TimeseriesCollection]:
    """All items of a file, in a dataset whose schema was inferred from them."""
    schema = infer(DATA / f"{name}.json")
    collection = client.create_or_update_dataset(schema.kind, "my.items", schema.fields).create_collection("all")
    collection.ingest(DATA / f"{name}.json")
    return collection.load(ALL), collection


def in_catalog(client: Client, name: str) -> tuple[xr.Dataset, TimeseriesCollection]:
    """All items of a file, in one collection of their dataset in the catalog."""
    collection = create_open_dataset(client, FILES[name]).create_collection("all")
    for table in read_open_tables(FILES[name], DATA / f"{name}.json").values():
        collection.ingest(table)
    return collection.load(ALL), collection


@pytest.fixture
def landsat(datasets_client: Client) -> xr.Dataset:
    """Four Landsat scenes, the oldest first."""
    return in_own_dataset(datasets_client, "landsat-c2-l2")[0]


@pytest.mark.clause("2.assets-1")
@pytest.mark.parametrize("is_catalog", [True, False])
@pytest.mark.parametrize("name", FILES)
def test_real_items_keep_all_and_ingest_unchanged(datasets_client: Client, name: str, is_catalog: bool) -> None:
    """Each asset of each item is there as it was, typed with its projection, and to_fields() gives the same ids."""
    items = items_of(name)
    data, collection = (in_catalog if is_catalog else in_own_dataset)(datasets_client, name)
    assert {*data["stac_id"].values} == {*items}

    for at in range(len(items)):
        datapoint = data.isel(time=at)
        item = items[datapoint["stac_id"].item()]
        assets = AssetCollection.from_datapoint(datapoint)

        assert datapoint["assets"].item() == item["assets"]
        assert assets.to_fields() == {"assets": item["assets"]}
        assert AssetCollection.from_assets(assets.values()) == assets
        for key, described in item["assets"].items():
            assert assets[key].key == key
            assert assets[key].primary.href == described["href"]
            assert assets[key].media_type == described["type"]
            assert len(assets[key].bands) == len(described.get("eo:bands", described.get("raster:bands", ())))
            if described["type"].startswith("image/tiff"):
                projection = assets[key].projection
                assert projection is not None
                assert projection.epsg == item["properties"]["proj:epsg"]
                placed = {**item["properties"], **described}
                assert projection.shape == as_tuple(placed.get("proj:shape"))
                assert projection.transform == as_tuple(placed.get("proj:transform"))

        again = datapoint.drop_vars(["id", "ingestion_time", "assets"])
        fields = {name: ((), JsonObject(value)) for name, value in assets.to_fields().items()}
        assert [str(each) for each in collection.ingest(again.assign(fields))] == [datapoint["id"].item()]


def test_landsat_band_has_all_that_a_job_needs(landsat: xr.Dataset) -> None:
    """What two lists of STAC 1.0 say about one band becomes one band, and the asset says what its only band says."""
    red = AssetCollection.from_datapoint(landsat.isel(time=3))["red"]

    assert (red.title, red.roles) == ("Red Band", {"data", "reflectance"})
    assert red.media_type == MediaType.CLOUD_OPTIMIZED_GEOTIFF
    assert red.gsd == 30
    band = red.bands[0]
    assert (band.name, band.description) == ("OLI_B4", "Visible red")
    assert band.eo == red.eo == EOProperties("red", 0.65, 0.04)
    assert (band.data_type, band.nodata) == (red.data_type, red.nodata) == (DataType.UINT16, 0)
    assert band.raster == red.raster == RasterProperties(2.75e-05, -0.2, 30)
    assert red.projection == Projection("EPSG:32655", (7971, 7971), (30.0, 0.0, 520185.0, 0.0, -30.0, -4663485.0))


def test_what_has_no_field_of_its_own_is_kept(landsat: xr.Dataset, datasets_client: Client) -> None:
    """Bit fields, relations and sizes of files are with the asset; a picture does not lie on the grid of the scene."""
    assets = AssetCollection.from_datapoint(landsat.isel(time=0))

    assert [each["name"] for each in assets["qa_pixel"].extra["classification:bitfields"]][:2] == [
        "fill",
        "dilated_cloud",
    ]
    assert assets["rendered_preview"].extra == {"rel": "preview"}
    assert assets["rendered_preview"].projection is None
    assert assets["mtl.json"].projection is None


def test_radar_file_has_size_and_nodata(datasets_client: Client) -> None:
    """A band without a name is one, and the size of the file is known before the download."""
    vh = AssetCollection.from_datapoint(in_own_dataset(datasets_client, "sentinel-1-rtc")[0].isel(time=0))["vh"]

    assert isinstance(vh.file, File)
    assert vh.file.size is not None
    assert vh.file.size > 10**8
    assert [(band.name, band.nodata, band.data_type) for band in vh.bands] == [(None, -32768, DataType.FLOAT32)]
    assert vh.projection is not None
    assert len(vh.projection.transform or ()) == 9
    assert vh.projection.bbox is not None


def test_only_one_datapoint_has_assets(landsat: xr.Dataset) -> None:
    """Several datapoints, none, and one without assets are refused with the next step; a length of one is enough."""
    assert len(AssetCollection.from_datapoint(landsat.isel(time=[2]))) == len(landsat["assets"].values[2])
    with pytest.raises(ArgumentError, match=r"4 datapoints instead of one: take data\.isel\(time=0\)"):
        AssetCollection.from_datapoint(landsat)
    with pytest.raises(ArgumentError, match="no assets in the field 'assets'"):
        AssetCollection.from_datapoint(landsat.isel(time=0).drop_vars("assets"))
    with pytest.raises(ArgumentError, match="not list"):
        AssetCollection.from_datapoint([1])  # type: ignore[arg-type]


def test_other_names_of_fields(landsat: xr.Dataset) -> None:
    """fields= names the fields of a dataset with others, for both directions."""
    names = {"assets": "files"}
    assets = AssetCollection.from_datapoint(landsat.isel(time=0).rename(assets="files"), fields=names)

    assert list(assets.to_fields(fields=names)) == ["files"]
    with pytest.raises(ArgumentError, match="'asset', but takes assets, storage, authentication"):
        assets.to_fields(fields={"asset": "x"})


@pytest.mark.clause("2.assets-1")
def test_made_assets_come_back_from_a_dataset(datasets_client: Client) -> None:
    """Assets of one's own, and some taken over from an item, are stored and read as the same values."""
    datapoint = {"assets": items_of("landsat-c2-l2").popitem()[1]["assets"], "proj_epsg": 32655, "gsd": 30}
    taken = AssetCollection.from_datapoint(datapoint)["red"]
    made = Asset(
        "ndvi",
        AssetLocation("s3://mine/ndvi.tif"),
        {"https": AssetLocation("https://example.org/ndvi.tif", "HTTPS")},
        MediaType.GEOTIFF,
        roles=frozenset({"data", "index"}),
        nodata=-1.5,
    )
    assets = AssetCollection.from_assets([taken, made])
    collection = datasets_client.create_or_update_dataset("temporal", "my.ndvi", [("assets", dict)]).create_collection(
        "c"
    )

    collection.ingest([{"time": "2024-08-01", **assets.to_fields()}])
    found = AssetCollection.from_datapoint(collection.load("2024-08-01").isel(time=0))

    assert found["red"] == taken  # with the projection and the gsd of the item, which this dataset has not
    assert found["ndvi"] == made
    assert found.to_fields() == assets.to_fields()
