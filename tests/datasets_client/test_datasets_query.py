"""Today's query: filters and areas over one or many collections."""

import pytest
import shapely

from tilebox_celery.datasets import Client, field
from tilebox_celery.datasets.sync.timeseries import TimeseriesCollection
from tilebox_celery.errors import ArgumentError, NotFoundError

JUNE = ("2020-06-01", "2020-07-01")


@pytest.mark.clause("2.datasets-2")
@pytest.mark.clause("d1.7-1")
def test_a_filter_selects_as_xarray_does(sentinel2: TimeseriesCollection) -> None:
    """What the database selects is what a comparison of the loaded values selects."""
    everything = sentinel2.load(JUNE)

    found = sentinel2.query(temporal_extent=JUNE, filter=field("cloud_cover") < 1.0)

    expected = everything["id"][everything["cloud_cover"] < 1.0].to_numpy()
    assert 0 < len(expected) < 9
    assert list(found["id"].to_numpy()) == list(expected)


@pytest.mark.clause("2.datasets-2")
@pytest.mark.clause("d1.7-1", "d1.7-3")
def test_an_area_selects_as_shapely_does(sentinel2: TimeseriesCollection) -> None:
    """What the database selects is what shapely selects of the loaded footprints."""
    everything = sentinel2.load(JUNE)
    area = shapely.box(26.5, -9.0, 27.5, -8.0)

    found = sentinel2.query(temporal_extent=JUNE, spatial_extent=area)

    expected = everything["id"][shapely.intersects(everything["geometry"].to_numpy(), area)].to_numpy()
    assert 0 < len(expected) < 9
    assert list(found["id"].to_numpy()) == list(expected)


@pytest.mark.clause("2.datasets-2")
@pytest.mark.clause("d1.7-2")
def test_a_query_spans_collections(datasets_client: Client, sentinel2: TimeseriesCollection) -> None:
    """Dataset.query and Dataset.find look into all collections, or into those that are named."""
    dataset = datasets_client.dataset("open_data.copernicus.sentinel2_msi")
    copy = dataset.create_collection("copy")
    copy.ingest(sentinel2.load(JUNE))

    both = dataset.query(temporal_extent=JUNE)
    one = dataset.query(temporal_extent=JUNE, collections=["copy"])

    assert (both.sizes["time"], one.sizes["time"]) == (18, 9)
    assert list(both["id"].to_numpy()) == sorted(both["id"].to_numpy())
    wanted = one["id"].to_numpy()[0]
    assert dataset.find(wanted)["id"].item() == wanted
    with pytest.raises(NotFoundError, match="No such collection nope"):
        dataset.query(temporal_extent=JUNE, collections=["nope"])


@pytest.mark.clause("d1.7-11")
def test_bad_queries_are_one_sentence(sentinel2: TimeseriesCollection) -> None:
    """A missing extent, an unknown field, a plain bool and a wrong area are refused by name."""
    with pytest.raises(ValueError, match="A temporal_extent for your query must be specified"):
        sentinel2.query(temporal_extent=None)  # type: ignore[arg-type]  # it is the mistake
    with pytest.raises(ArgumentError, match="There is no field 'nope'"):
        sentinel2.query(temporal_extent=JUNE, filter=field("nope") < 3)
    with pytest.raises(TypeError, match="A filter must be an expression"):
        sentinel2.query(temporal_extent=JUNE, filter=True)  # type: ignore[arg-type]  # it is the mistake
    with pytest.raises(ArgumentError, match="spatial extent"):
        sentinel2.query(temporal_extent=JUNE, spatial_extent="here")  # type: ignore[arg-type]  # it is the mistake
