"""The documented client: datasets by attribute, collections, info, load, find."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np
import pytest
import xarray as xr

from tilebox_celery.datasets import Client, TimeInterval
from tilebox_celery.datasets.store import loading, pages
from tilebox_celery.datasets.sync.timeseries import TimeseriesCollection
from tilebox_celery.errors import ArgumentError, AuthenticationError, LedgerUnavailable, NotFoundError
from tilebox_celery.postgres.connection import Connection

TIME = "2020-06-06T08:06:09.024"


@pytest.mark.clause("1.11-1")
@pytest.mark.clause("d1.1-2", "d1.2-9", "d1.2-10")
def test_datasets_are_attributes_along_their_slug(datasets_client: Client, sentinel2: TimeseriesCollection) -> None:
    """A dataset is found by attribute access, and the editor can complete every name."""
    tree = datasets_client.datasets()

    assert "open_data" in dir(tree)
    assert tree.open_data.copernicus.sentinel2_msi.slug == "open_data.copernicus.sentinel2_msi"
    assert repr(tree).splitlines()[:2] == ["open_data:", "    copernicus:"]
    with pytest.raises(AttributeError, match="No such dataset or dataset group 'sentinel9'"):
        _ = tree.open_data.copernicus.sentinel9


@pytest.mark.clause("1.11-1")
@pytest.mark.clause("d1.1-4")
def test_an_unknown_dataset_is_not_found(datasets_client: Client) -> None:
    """Client.dataset of an unknown slug raises NotFoundError."""
    with pytest.raises(NotFoundError, match=r"No such dataset 'open_data\.nope'"):
        datasets_client.dataset("open_data.nope")


@pytest.mark.clause("1.11-2")
@pytest.mark.clause("d1.1-5", "d1.1-7", "d1.2-2", "d1.2-4")
def test_collections_print_what_they_hold(sentinel2: TimeseriesCollection, datasets_client: Client) -> None:
    """Collections and their info are printed as the documents print them."""
    dataset = datasets_client.dataset("open_data.copernicus.sentinel2_msi")
    dataset.create_collection("empty")

    found = dataset.collections()

    text = "S2B_S2MSI2A: [2020-06-06T08:06:09.024 UTC, 2020-06-06T08:06:09.024 UTC] (9 data points)"
    assert str(found["S2B_S2MSI2A"].info()) == text
    assert repr(found["S2B_S2MSI2A"]) == f"Collection {text}"
    assert str(found["empty"].info()) == "empty: <empty> (0 data points)"
    assert found["S2B_S2MSI2A"].info().count == 9


@pytest.mark.clause("d1.1-6")
def test_an_unknown_collection_is_reported_when_it_is_used(datasets_client: Client) -> None:
    """collection(name) is lazy: info, load and find raise NotFoundError in the documented words."""
    dataset = datasets_client.create_or_update_dataset("temporal", "a", [("x", int)])
    collection = dataset.collection("Sat-X")

    for use in (collection.info, lambda: collection.load("2024-01-01"), lambda: collection.find(uuid4())):
        with pytest.raises(NotFoundError, match="No such collection Sat-X"):
            use()


@pytest.mark.clause("1.11-6")
@pytest.mark.clause("1.11-4")
@pytest.mark.clause("d1.4-1", "d1.4-9")
def test_load_gives_the_documented_layout(sentinel2: TimeseriesCollection) -> None:
    """Coordinates, dimensions and dtypes are those of the documents."""
    data = sentinel2.load(("2020-06-06", "2020-06-07"))

    assert list(data.coords) == ["ingestion_time", "id", "time", "latlon"]
    assert data.sizes == {"time": 9, "latlon": 2}  # array fields that no item has are left out
    assert data["id"].dtype == "<U36"
    assert data["processing_level"].dtype == "<U3"
    assert (data["time"] == np.datetime64(TIME)).all()
    assert list(data["id"].to_numpy()) == sorted(data["id"].to_numpy())
    assert {each.geom_type for each in data["geometry"].to_numpy()} <= {"Polygon", "MultiPolygon"}


@pytest.mark.clause("1.11-3")
@pytest.mark.parametrize(
    ("when", "count"),
    [
        (TIME, 9),
        ("2020-06-06T08:06:09.025", 0),
        ((TIME, "2020-06-06T08:06:09.025"), 9),
        (("2020-06-05", TIME), 0),
        (datetime(2020, 6, 6, 8, 6, 9, 24000), 9),
        (datetime(2020, 6, 6, 8, 6, 9, 24000, tzinfo=UTC).timestamp(), 9),
        ([TIME, TIME], 9),
        (TimeInterval(datetime(2020, 6, 5), datetime(2020, 6, 6, 8, 6, 9, 24000), end_inclusive=True), 9),
        (TimeInterval(datetime(2020, 6, 6, 8, 6, 9, 24000), datetime(2020, 6, 7), start_exclusive=True), 0),
    ],
)
@pytest.mark.clause("d1.3-1", "d1.3-2", "d1.3-3", "d1.3-4")
def test_every_form_of_time_loads_what_it_says(sentinel2: TimeseriesCollection, when: object, count: int) -> None:
    """Instants are exact to the millisecond, tuples half open, other iterables closed."""
    data = sentinel2.load(when)  # type: ignore[arg-type]  # one of many forms

    assert (data.sizes["time"] if "time" in data else 0) == count


@pytest.mark.clause("1.11-4")
@pytest.mark.clause("d1.4-8")
def test_an_empty_load_has_no_dimensions(sentinel2: TimeseriesCollection) -> None:
    """Nothing found is xarray.Dataset() without dimensions, and no error."""
    assert sentinel2.load("1999-01-01").identical(xr.Dataset())


def test_skip_data_loads_metadata_alone(sentinel2: TimeseriesCollection) -> None:
    """With skip_data only the coordinates are loaded, and times of a load select its rows again."""
    meta = sentinel2.load(("2020-06-06", "2020-06-07"), skip_data=True)

    assert list(meta.coords) == ["ingestion_time", "id", "time"]
    assert not meta.data_vars
    assert sentinel2.load(meta.time[:3]).sizes["time"] == 9  # all nine are of one millisecond


@pytest.mark.clause("1.11-5")
@pytest.mark.clause("d1.1-9", "d1.4-7")
def test_find_has_no_time_dimension(sentinel2: TimeseriesCollection) -> None:
    """A datapoint found by its id is a Dataset with a scalar time."""
    every = sentinel2.load(TIME)
    wanted = str(every["id"].to_numpy()[4])

    found = sentinel2.find(wanted)

    assert "time" not in found.dims
    assert str(found["id"].item()) == wanted
    assert found["granule_name"].item() == every["granule_name"].to_numpy()[4]
    assert not sentinel2.find(UUID(wanted), skip_data=True).data_vars


@pytest.mark.clause("1.11-5")
@pytest.mark.clause("d1.1-10")
def test_find_says_what_is_wrong_with_an_id(sentinel2: TimeseriesCollection) -> None:
    """An absent id is NotFoundError, a text that is no UUID a ValueError."""
    with pytest.raises(NotFoundError, match="No such datapoint 017288aa-6980-0000-0000-000000000000"):
        sentinel2.find("017288aa-6980-0000-0000-000000000000")
    with pytest.raises(ValueError, match="Invalid datapoint id: nope is not a valid UUID"):
        sentinel2.find("nope")


@pytest.mark.clause("d1.1-16", "d1.7-10")
def test_progress_ends_at_one(sentinel2: TimeseriesCollection, capsys: pytest.CaptureFixture[str]) -> None:
    """show_progress calls a function with rising fractions, or draws a bar on stderr."""
    fractions: list[float] = []

    sentinel2.load(("2020-06-01", "2020-07-01"), show_progress=fractions.append)
    sentinel2.load(("2020-06-01", "2020-07-01"), show_progress=True)

    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert "100%" in capsys.readouterr().err


def test_an_error_in_a_load_ends_its_transaction(
    datasets_client: Client, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while somebody keeps the error, as a notebook does with the last one, Ctrl-C among them."""
    monkeypatch.setattr(loading, "FEW_ROWS", 0)
    monkeypatch.setattr(pages, "PAGE_ROWS", 64)
    dataset = datasets_client.create_or_update_dataset("temporal", "my.points", [("number", int)])
    for name in ("one", "two"):
        dataset.create_collection(name).ingest({"time": range(300), "number": range(300)})

    with pytest.raises(KeyboardInterrupt) as kept:
        dataset.query(temporal_extent=(0, 300), show_progress=_interrupt)

    running = connection.execute(
        "select query from pg_stat_activity where application_name = 'tilebox-celery datasets'"
        " and xact_start is not null and datname = current_database()"
    ).fetchall()
    assert (running, len(kept.traceback) > 1) == ([], True)
    assert dataset.query(temporal_extent=(0, 300)).sizes["time"] == 600


def _interrupt(fraction: float) -> None:
    raise KeyboardInterrupt(fraction)


@pytest.mark.clause("d1.4-11")
def test_xarray_habits_work(sentinel2: TimeseriesCollection) -> None:
    """concat, nearest selection and dropping duplicate times work on a load."""
    data = sentinel2.load(TIME)

    assert xr.concat([data, data], dim="time").sizes["time"] == 18
    single = data.drop_duplicates("time")
    assert single.sizes["time"] == 1
    assert single.sel(time="2020-06-07", method="nearest")["granule_name"].item().startswith("S2B_MSIL2A_20200606")


def test_a_refused_login_shows_at_the_first_request(ledger_url: str) -> None:
    """The constructor contacts nobody; the first request raises, and names the variable to look at."""
    client = Client("postgresql://nobody@127.0.0.1:1/nowhere")

    with pytest.raises((LedgerUnavailable, AuthenticationError), match="TILEBOX_CELERY_LEDGER_URL"):
        client.datasets()


def test_an_end_before_the_start_is_refused(sentinel2: TimeseriesCollection) -> None:
    """An interval whose end lies before its start is one sentence."""
    with pytest.raises(ArgumentError, match="before its start"):
        sentinel2.load((datetime(2020, 6, 7), datetime(2020, 6, 7) - timedelta(days=1)))
