"""The ready datasets describe themselves, and take the products of their providers."""

import copy
import json
from datetime import datetime
from typing import Any

import pytest

from tilebox_celery.datasets import open_data
from tilebox_celery.datasets.arrow_types import table_schema
from tilebox_celery.datasets.schema import DatasetKind, FieldType
from tilebox_celery.errors import ArgumentError, NotFoundError

DOCUMENTED_SLUGS = {
    "open_data.copernicus.sentinel1_sar",
    "open_data.copernicus.sentinel2_msi",
    "open_data.copernicus.landsat8_oli_tirs",
    "open_data.asf.ers_sar",
    "open_data.umbra.sar",
}
SQUARE = {"type": "Polygon", "coordinates": [[[7, 50], [8, 50], [8, 51], [7, 51], [7, 50]]]}


def rows_of(slug: str, source: Any) -> list[dict[str, Any]]:
    """Return all rows with the name of their collection."""
    dataset = open_data.find_open_dataset(slug)
    rows = []
    for tables in dataset.read_tables(source):
        for collection, table in tables.items():
            assert table.schema == table_schema(dataset.schema, with_ids=False)
            rows += [{"collection": collection, **row} for row in table.to_pylist()]
    return rows


def item_of(name: str, folder: str, file: str, **properties: Any) -> dict[str, Any]:
    """Return an item as the Copernicus Data Space writes them, of one file beside the archive of the product."""
    uuid = "01910b3c-8552-4671-8345-b902cc0813f3"
    archive = f"https://download.dataspace.copernicus.eu/odata/v1/Products({uuid})/$value"
    return {
        "type": "Feature",
        "id": name,
        "geometry": SQUARE,
        "properties": {"datetime": "2024-08-01T00:26:11.024Z", **properties},
        "assets": {"data": {"href": f"s3://eodata/{folder}{file}"}, "Product": {"href": archive, "file:size": 12}},
    }


def test_every_dataset_and_field_is_described() -> None:
    """Documented slugs are there; each dataset and each of its fields says what it is."""
    datasets = open_data.catalog()

    assert {dataset.slug for dataset in datasets} >= DOCUMENTED_SLUGS
    assert len({dataset.slug for dataset in datasets}) == len(datasets) == 7
    for dataset in datasets:
        assert dataset.name
        assert dataset.summary.endswith(".")
        assert dataset.description.endswith(".")
        assert dataset.collections
        assert dataset.listing_url.startswith("https://")
        assert dataset.schema.kind is DatasetKind.SPATIOTEMPORAL
        assert [field.name for field in dataset.schema.fields if not field.description.endswith(".")] == []
        assert {"granule_name", "location", "processing_level", "stac_id", "assets"} <= set(dataset.schema.by_name)
        assert dataset.schema.by_name["processing_level"].type is FieldType.ENUM


def test_fields_of_the_documents_have_their_types() -> None:
    """What the documents print of Landsat-8, and what the storage clients read, has the documented types."""
    landsat = open_data.find_open_dataset("open_data.copernicus.landsat8_oli_tirs").schema.by_name
    ers = open_data.find_open_dataset("open_data.asf.ers_sar").schema.by_name

    assert {
        name: str(landsat[name].type) for name in ("bands", "path", "row", "sun_elevation", "center", "online")
    } == {
        "bands": "int64",
        "path": "int64",
        "row": "int64",
        "sun_elevation": "double",
        "center": "latlon",
        "online": "bool",
    }
    assert landsat["copernicus_id"].type is FieldType.UUID
    assert {name: str(ers[name].type) for name in ("file_size", "md5sum", "quicklook_available")} == {
        "file_size": "int64",
        "md5sum": "string",
        "quicklook_available": "bool",
    }


def test_an_unknown_slug_names_the_most_similar_one() -> None:
    """A typing error is told from a missing dataset."""
    with pytest.raises(
        NotFoundError, match=r"'open_data.copernicus.sentinel2_mis'.* 'open_data.copernicus.sentinel2_msi'"
    ):
        open_data.find_open_dataset("open_data.copernicus.sentinel2_mis")


def test_real_sentinel2_items(stac_data: Any, sentinel2_items: list[dict[str, Any]]) -> None:
    """Both satellites' products of a tile go to their collections, with all that the documents and storage need."""
    rows = rows_of("open_data.copernicus.sentinel2_msi", stac_data / "sentinel-2-l2a-35MNM-2020-jun-jul.json")

    assert {row["collection"] for row in rows} == {"S2A_S2MSI2A", "S2B_S2MSI2A"}
    assert len(rows) == len(sentinel2_items) == 13
    row, item = rows[0], sentinel2_items[0]
    name = item["properties"]["s2:product_uri"]
    assert row["time"] == datetime(2020, 7, 31, 8, 6, 11, 24000)
    assert (row["granule_name"], row["stac_id"]) == (name, item["id"])
    assert row["location"].endswith(f"/35/M/NM/2020/07/31/{name}")
    assert row["thumbnail"].endswith("_PVI.tif")
    assert (row["tile_id"], row["processing_baseline"], row["relative_orbit_number"]) == ("35MNM", "02.12", 78)
    assert (row["cloud_cover"], row["proj_epsg"], row["flight_direction"]) == (0.004742, 32735, "DESCENDING")
    assert row["sun_elevation"] == pytest.approx(53.598, abs=1e-3)
    assert row["center"] == pytest.approx([-7.73, 27.5], abs=0.01)
    assert json.loads(row["assets"]) == item["assets"]


def test_real_landsat_items(stac_data: Any) -> None:
    """The product's own name, path and row come of the item's files and id."""
    row = rows_of("open_data.copernicus.landsat8_oli_tirs", stac_data / "landsat-c2-l2.json")[0]

    assert row["granule_name"] == "LC09_L2SP_089090_20240417_20240418_02_T1"
    assert (row["collection"], row["satellite"], row["processing_level"]) == ("L2SP", "LANDSAT-9", "L2")
    assert (row["bands"], row["path"], row["row"], row["resolution"]) == (8, 89, 90, 30)
    assert (row["sun_elevation"], row["cloud_cover"], row["scene_id"]) == (27.39594529, 97.54, "LC90890902024108LGN00")
    assert row["proj_shape"] == [7971, 7971]
    red = json.loads(row["assets"])["red"]
    assert (red["raster:bands"][0]["nodata"], red["eo:bands"][0]["name"]) == (0, "OLI_B4")


def test_real_sentinel1_items(stac_data: Any) -> None:
    """What only the name says is read from the name."""
    row = rows_of("open_data.copernicus.sentinel1_sar", stac_data / "sentinel-1-rtc.json")[0]

    assert row["granule_name"] == "S1A_IW_GRDH_1SDV_20240419T045904_20240419T045916_053498_067DF2_DCEC.SAFE"
    assert (row["collection"], row["satellite"], row["polarization"]) == ("S1A_IW_GRDH_1S", "SENTINEL-1A", "VV+VH")
    assert (row["orbit_number"], row["relative_orbit_number"], row["slice_number"]) == (53498, 51, 30)
    assert row["mission_datatake_id"] == 425458
    assert row["end_time"].isoformat() == "2024-04-19T04:59:16.653405"


COPERNICUS = [
    (
        "sentinel1_sar",
        item_of(
            "S1A_IW_SLC__1SDV_20240801T002611_20240801T002638_055014_06B3F2_1A2B",
            "Sentinel-1/SAR/IW_SLC__1S/2024/08/01/",
            "S1A_IW_SLC__1SDV_20240801T002611_20240801T002638_055014_06B3F2_1A2B.SAFE/measurement/a.tiff",
        ),
        "S1A_IW_SLC__1S",
        (
            "/eodata/Sentinel-1/SAR/IW_SLC__1S/2024/08/01/"
            "S1A_IW_SLC__1SDV_20240801T002611_20240801T002638_055014_06B3F2_1A2B.SAFE"
        ),
        "L1",
    ),
    (
        "sentinel2_msi",
        item_of(
            "S2A_MSIL2A_20240801T002611_N0511_R102_T58WET_20240819T170544",
            "Sentinel-2/MSI/L2A/2024/08/01/",
            "S2A_MSIL2A_20240801T002611_N0511_R102_T58WET_20240819T170544.SAFE/GRANULE/B02.jp2",
        ),
        "S2A_S2MSI2A",
        "/eodata/Sentinel-2/MSI/L2A/2024/08/01/S2A_MSIL2A_20240801T002611_N0511_R102_T58WET_20240819T170544.SAFE",
        "L2A",
    ),
    (
        "sentinel3",
        item_of(
            "S3A_OL_1_EFR____20240801T002611_20240801T002911_20240802T010203_0180_115_159_2160_PS1_O_NT_004",
            "Sentinel-3/OLCI/OL_1_EFR___/2024/08/01/",
            "S3A_OL_1_EFR____20240801T002611_20240801T002911_20240802T010203_0180_115_159_2160_PS1_O_NT_004.SEN3/a.nc",
        ),
        "S3A_OL_1_EFR",
        (
            "/eodata/Sentinel-3/OLCI/OL_1_EFR___/2024/08/01/"
            "S3A_OL_1_EFR____20240801T002611_20240801T002911_20240802T010203_0180_115_159_2160_PS1_O_NT_004.SEN3"
        ),
        "L1",
    ),
    (
        "sentinel5p_tropomi",
        item_of(
            "S5P_OFFL_L2__NO2____20240801T002611_20240801T020741_35228_03_020600_20240802T171513",
            "Sentinel-5P/TROPOMI/L2__NO2___/2024/08/01/",
            "S5P_OFFL_L2__NO2____20240801T002611_20240801T020741_35228_03_020600_20240802T171513.nc",
        ),
        "L2__NO2___",
        (
            "/eodata/Sentinel-5P/TROPOMI/L2__NO2___/2024/08/01/"
            "S5P_OFFL_L2__NO2____20240801T002611_20240801T020741_35228_03_020600_20240802T171513.nc"
        ),
        "L2",
    ),
]


@pytest.mark.parametrize(("slug", "item", "collection", "location", "level"), COPERNICUS)
def test_items_of_the_copernicus_data_space(
    slug: str, item: dict[str, Any], collection: str, location: str, level: str
) -> None:
    """The path in the bucket, the id of the archive and its size are found, and the name's times where no other are."""
    dataset = open_data.find_open_dataset(f"open_data.copernicus.{slug}")

    row = rows_of(dataset.slug, [item])[0]

    assert (row["collection"], row["location"], row["processing_level"]) == (collection, location, level)
    assert row["granule_name"] == location.rpartition("/")[2]
    assert (row["copernicus_id"].hex(), row["file_size"]) == ("01910b3c855246718345b902cc0813f3", 12)
    assert row["online"] is True
    assert collection in dataset.collections


def test_an_archived_product_is_not_online() -> None:
    """What the provider says of its storage wins."""
    item = copy.deepcopy(COPERNICUS[1][1])
    item["properties"]["storage:tier"] = "offline"

    assert rows_of("open_data.copernicus.sentinel2_msi", [item])[0]["online"] is False


def test_features_of_the_search_of_asf() -> None:
    """ASF lists no STAC items; its features have all that its storage client needs."""
    feature = {
        "type": "Feature",
        "geometry": SQUARE,
        "properties": {
            "sceneName": "E2_71629_STD_F183",
            "fileID": "E2_71629_STD_F183-L0",
            "startTime": "2008-12-29T19:21:47Z",
            "stopTime": "2008-12-29T19:22:04Z",
            "platform": "ERS-2",
            "processingLevel": "L0",
            "beamModeType": "STD",
            "bytes": 183319310,
            "md5sum": "d26c43a7c9a1d0a0e0c5d4c7a31f3f2b",
            "orbit": 71629,
            "frameNumber": 183,
            "pathNumber": 44,
            "flightDirection": "ASCENDING",
            "polarization": "VV",
            "centerLat": 50.5,
            "centerLon": 7.5,
            "url": "https://datapool.asf.alaska.edu/L0/E2/E2_71629_STD_L0_F183.zip",
            "browse": ["https://datapool.asf.alaska.edu/BROWSE/E2/E2_71629_STD_F183.jpg"],
        },
    }

    row = rows_of("open_data.asf.ers_sar", {"type": "FeatureCollection", "features": [feature]})[0]

    assert (row["collection"], row["time"]) == ("ERS-2", datetime(2008, 12, 29, 19, 21, 47))
    assert (row["granule_name"], row["file_size"]) == ("E2_71629_STD_F183", 183319310)
    assert (row["md5sum"], row["quicklook_available"]) == ("d26c43a7c9a1d0a0e0c5d4c7a31f3f2b", True)
    assert (row["path_number"], row["frame_number"], row["beam_mode"]) == (44, 183, "STD")
    assert row["thumbnail"].endswith("E2_71629_STD_F183.jpg")
    assert row["center"] == [50.5, 7.5]
    assert json.loads(row["assets"])["product"]["href"] == row["location"]


def test_items_of_the_catalog_of_umbra() -> None:
    """The location is the folder below the bucket's tasks, with its spaces; the id may be any."""
    name = "2024-01-05-01-53-37_UMBRA-07"
    folder = "ad%20hoc/Yi_Sun_sin_Bridge_SK/6cf02931-ca2e-4744-b389-4844ddc701cd"
    href = f"https://umbra-open-data-catalog.s3.amazonaws.com/sar-data/tasks/{folder}/{name}/{name}_GEC.tif"
    item = {
        "type": "Feature",
        "id": "f2c1a8a4",
        "geometry": SQUARE,
        "properties": {
            "datetime": "2024-01-05T01:53:37Z",
            "sar:polarizations": ["VV"],
            "umbra:grazing_angle_degrees": 45.5,
        },
        "assets": {"GEC": {"href": href}},
    }

    row = rows_of("open_data.umbra.sar", [item])[0]

    assert row["location"] == f"ad hoc/Yi_Sun_sin_Bridge_SK/6cf02931-ca2e-4744-b389-4844ddc701cd/{name}"
    assert (row["granule_name"], row["satellite"], row["collection"]) == (name, "UMBRA-07", "SAR")
    assert (row["polarization"], row["grazing_angle"], row["stac_id"]) == ("VV", 45.5, "f2c1a8a4")


def test_a_product_of_another_mission_is_refused(landsat_items: list[dict[str, Any]]) -> None:
    """The sentence names the item and where it does not belong."""
    with pytest.raises(
        ArgumentError, match=r"Item 0 \('LC09_.*'\) is no product of open_data.copernicus.sentinel2_msi"
    ):
        rows_of("open_data.copernicus.sentinel2_msi", landsat_items)


def test_a_bad_property_is_named(sentinel2_items: list[dict[str, Any]]) -> None:
    """A property that no rule can read, or that does not fit its field, is refused with the item's number."""
    wrong_type, wrong_value = copy.deepcopy(sentinel2_items[:2])
    wrong_type["properties"]["s2:mean_solar_zenith"] = "low"
    wrong_value["properties"]["eo:cloud_cover"] = "low"
    slug = "open_data.copernicus.sentinel2_msi"

    with pytest.raises(ArgumentError, match=r"Item 1 \(.*\) is unlike the products of .*: TypeError"):
        rows_of(slug, [sentinel2_items[2], wrong_type])
    with pytest.raises(ArgumentError, match=r"Item 0 \(.*\): property 'eo:cloud_cover' is 'low', which is no number"):
        rows_of(slug, [wrong_value])
