"""Assets from the JSON of STAC 1.0 and 1.1, and back to it."""

import doctest
import importlib
import math
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilebox_celery.datasets.assets import (
    Asset,
    AssetCollection,
    AssetLocation,
    AuthenticationScheme,
    Band,
    DataType,
    EOProperties,
    File,
    Projection,
    RasterProperties,
    StorageScheme,
)
from tilebox_celery.errors import ArgumentError

EXAMPLES = ["asset", "collection", "item", "metadata", "reader", "reading", "writing"]
SCHEMES = {
    "eodata": {"type": "custom-s3", "platform": "https://eodata.dataspace.copernicus.eu", "bucket": "eodata"},
}


def read(asset: dict[str, Any], **fields: Any) -> Asset:
    """The asset of a datapoint with one."""
    return AssetCollection.from_datapoint({"assets": {"x": {"href": "x.tif", **asset}}, **fields})["x"]


def test_bands_of_stac_1_1_inherit_from_their_asset() -> None:
    """A band has what its asset says, field by field, and its own where it says it."""
    asset = read(
        {
            "nodata": 0,
            "data_type": "uint16",
            "raster:scale": 0.0001,
            "bands": [
                {"name": "B04", "eo:common_name": "red", "raster:offset": -0.1},
                {"name": "B08", "eo:common_name": "nir", "nodata": "nan", "unit": "1"},
            ],
        }
    )

    red, nir = asset.bands
    assert red == Band("B04", None, DataType.UINT16, 0, None, EOProperties("red"), RasterProperties(0.0001, -0.1))
    assert (nir.raster, nir.unit) == (RasterProperties(0.0001), "1")
    assert nir.nodata is not None
    assert math.isnan(nir.nodata)
    assert (asset.nodata, asset.eo, asset.unit) == (0, None, None)


def test_lists_of_stac_1_0_may_have_different_lengths() -> None:
    """What only one of the lists has is a band all the same."""
    asset = read({"eo:bands": [{"name": "a"}], "raster:bands": [{"scale": 2}, {"scale": 3, "histogram": {"count": 1}}]})

    assert [(band.name, band.raster) for band in asset.bands] == [
        ("a", RasterProperties(2)),
        (None, RasterProperties(3)),
    ]
    assert asset.bands[1].extra == {"raster:histogram": {"count": 1}}
    assert AssetCollection.from_assets([asset])["x"] == asset
    assert asset.raster is None


def test_grids_are_not_mixed() -> None:
    """An asset with a grid or a projection of its own takes nothing from the item that belongs to another one."""
    item = {
        "proj_epsg": 32632,
        "proj_shape": [10, 20],
        "proj_transform": [10, 0, 5, 0, -10, 6],
        "proj_bbox": [0, 0, 1, 1],
    }

    own_grid = read({"proj:shape": [5, 10]}, **item).projection
    own_crs = read({"proj:code": "EPSG:4326"}, **item).projection
    same_crs = read({"proj:epsg": 32632}, **item).projection

    assert own_grid == Projection("EPSG:32632", (5, 10), None, (0, 0, 1, 1))
    assert own_crs == Projection("EPSG:4326")
    assert same_crs == Projection("EPSG:32632", (10, 20), (10, 0, 5, 0, -10, 6), (0, 0, 1, 1))
    assert read({"proj:epsg": None}, **item).projection is None


def test_schemes_of_locations() -> None:
    """References are looked up in the registries of the item; the older form is said by the location itself."""
    asset = read(
        {
            "storage:refs": ["eodata", "unknown"],
            "auth:refs": ["s3"],
            "alternate": {
                "s3": {"href": "s3://usgs-landsat/x", "storage:platform": "AWS", "storage:requester_pays": True, "q": 1}
            },
        },
        storage_schemes=SCHEMES,
        auth_schemes={"s3": {"type": "s3", "description": "keys"}},
    )

    assert asset.primary.storage_schemes == {
        "eodata": StorageScheme("custom-s3", "https://eodata.dataspace.copernicus.eu", extra={"bucket": "eodata"})
    }
    assert asset.primary.authentication_schemes == {"s3": AuthenticationScheme("s3", {"description": "keys"})}
    assert asset.alternates["s3"].storage_schemes == {"": StorageScheme(None, "AWS", None, True)}
    assert asset.alternates["s3"].extra == {"q": 1}
    again = AssetCollection.from_assets([asset])
    assert again["x"] == asset
    assert again.to_fields()["storage_schemes"] == SCHEMES


@pytest.mark.parametrize(
    ("asset", "sentence"),
    [
        ({"href": ""}, r"^The asset 'x' has no href\.$"),
        ({"gsd": "10m"}, r"asset 'x' has 'gsd' '10m', which is not a number\.$"),
        ({"raster:bands": [{"scale": "0.1"}]}, r"Band 0 of the asset 'x' has 'raster:scale' '0\.1', which is not a n"),
        ({"roles": "data"}, "which is not a list"),
        ({"file:size": 1.5}, "which is not a whole number"),
        ({"bands": ["red"]}, "Band 0 of the asset 'x' is 'red' instead of a JSON object"),
        ({"alternate": {"s3": {}}}, r"The alternate 's3' of the asset 'x' has no href\.$"),
    ],
)
def test_bad_assets_are_named(asset: dict[str, Any], sentence: str) -> None:
    """A value of another type is one sentence that names asset, property and value: a wrong scale is no detail."""
    with pytest.raises(ArgumentError, match=sentence):
        read(asset)


def test_assets_that_do_not_fit_together_are_refused() -> None:
    """One key twice, none, or one name for two schemes."""
    one = AssetLocation("a", storage_schemes={"s": StorageScheme("aws-s3")})
    other = AssetLocation("b", storage_schemes={"s": StorageScheme("custom-s3")})

    with pytest.raises(ArgumentError, match="Two assets have the key 'x'"):
        AssetCollection.from_assets([Asset("x", one), Asset("x", one)])
    with pytest.raises(ArgumentError, match="no key"):
        AssetCollection.from_assets([Asset("", one)])
    with pytest.raises(ArgumentError, match="different schemes by 's'"):
        AssetCollection.from_assets([Asset("x", one, {"other": other})])


def test_assets_can_be_pickled() -> None:
    """A job may keep them in its cache."""
    assets = AssetCollection.from_assets([Asset("x", AssetLocation("a"), bands=(Band("B1"),))])

    assert pickle.loads(pickle.dumps(assets)) == assets


numbers = st.none() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False)
texts = st.none() | st.text(min_size=1, max_size=5)
eo = st.none() | st.builds(EOProperties, texts, numbers, numbers).filter(lambda each: each != EOProperties())
raster = st.none() | st.builds(RasterProperties, numbers, numbers).filter(lambda each: each != RasterProperties())
pixels = {"nodata": numbers, "unit": texts, "eo": eo, "raster": raster, "data_type": st.sampled_from(DataType)}
tuples = st.none() | st.lists(st.integers(0, 99), min_size=1, max_size=6).map(tuple)
projections = st.builds(Projection, texts, tuples, tuples, tuples, texts).filter(lambda each: each != Projection())
assets_of_all_kinds = st.builds(
    Asset,
    key=st.text(min_size=1),
    primary=st.builds(AssetLocation, st.text(min_size=1), texts),
    alternates=st.dictionaries(st.text(), st.builds(AssetLocation, st.text(min_size=1), texts), max_size=2),
    media_type=texts,
    title=texts,
    description=texts,
    roles=st.frozensets(st.text()),
    gsd=numbers,
    bands=st.lists(st.builds(Band, texts, texts, **pixels), max_size=3).map(tuple),
    projection=st.none() | projections,
    file=st.none() | st.builds(File, st.integers(0, 2**60), texts),
    **pixels,
)


@given(asset=assets_of_all_kinds)
def test_what_is_made_is_read_again(asset: Asset) -> None:
    """A collection is settled once it is made: what it writes is read as the very same assets."""
    made = AssetCollection.from_assets([asset])

    fields = made.to_fields()

    again = AssetCollection.from_datapoint(fields)
    assert again == made
    assert AssetCollection.from_assets(again.values()).to_fields() == fields
    found = made[asset.key]
    assert (found.primary, found.alternates, found.roles, found.gsd) == (
        asset.primary,
        asset.alternates,
        asset.roles,
        asset.gsd,
    )
    assert (found.projection, found.file, found.extra) == (asset.projection, asset.file, {})
    assert [band.name for band in found.bands] == [band.name for band in asset.bands]


@pytest.mark.parametrize("module", EXAMPLES)
def test_examples_run(module: str) -> None:
    """Each example in a docstring does what it says."""
    result = doctest.testmod(importlib.import_module(f"tilebox_celery.datasets.assets.{module}"))

    assert result.attempted > 0
    assert result.failed == 0
