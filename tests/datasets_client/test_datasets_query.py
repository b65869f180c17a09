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


def test_a_collection_that_is_named_twice_is_read_once(datasets_client: Client) -> None:
    """By its name, its id and as an object."""
    dataset = datasets_client.create_or_update_dataset("temporal", "my.points", [("number", int)])
    collection = dataset.create_collection("c")
    collection.ingest({"time": [0, 1], "number": [7, 8]})

    data = dataset.query(temporal_extent=(0, 9), collections=["c", collection, collection.id, "c"])

    assert data["number"].to_numpy().tolist() == [7, 8]


def test_a_collection_of_another_dataset_is_refused(datasets_client: Client) -> None:
    """Its datapoints have other fields: they are neither loaded nor deleted as if they belonged to this one."""
    mine, other = (datasets_client.create_or_update_dataset("temporal", slug) for slug in ("my.points", "my.others"))
    foreign = other.create_collection("c")
    [found] = foreign.ingest({"time": [0]})

    for call in (
        lambda: mine.query(temporal_extent=(0, 9), collections=[foreign]),
        lambda: mine.find(found, [foreign]),
        lambda: mine.delete_collection(foreign),
    ):
        with pytest.raises(ArgumentError, match=r"collection 'c' belongs to another dataset than 'my\.points'"):
            call()
    assert foreign.info().count == 1


def test_a_query_has_the_fields_of_its_dataset(datasets_client: Client) -> None:
    """Also with a collection that was got before a field was added."""
    older = datasets_client.create_or_update_dataset("temporal", "my.points", [("number", int)]).create_collection("c")
    dataset = datasets_client.create_or_update_dataset("temporal", "my.points", [("number", int), ("name", str)])
    dataset.collection("c").ingest({"time": [0], "number": [7], "name": ["a"]})

    assert dataset.query(temporal_extent=(0, 9), collections=[older])["name"].item() == "a"


def test_a_deleted_collection_is_told_from_an_empty_one(datasets_client: Client) -> None:
    """Who still has it as an object is told by each request that it is gone, and can print it all the same."""
    dataset = datasets_client.create_or_update_dataset("temporal", "my.points", [("number", int)])
    gone, empty = (dataset.create_collection(name) for name in ("gone", "empty"))
    dataset.delete_collection("gone")

    assert empty.load((0, 9)).sizes == {}
    for call in (
        lambda: gone.load((0, 9)),
        lambda: gone.load((0, 9), skip_data=True),
        lambda: gone.query(temporal_extent=(0, 9), filter=field("number") < 3),
        lambda: dataset.query(temporal_extent=(0, 9), collections=[empty, gone]),
        gone.info,
    ):
        with pytest.raises(NotFoundError, match="No such collection gone"):
            call()
    assert repr(gone) == "Collection gone: <availability unknown>"


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
