"""Tables that the reader of the catalog made are stored without a second look at their values."""

from pathlib import Path

import pyarrow as pa
import pystac
import pytest

from tilebox_celery.datasets import Client, create_open_dataset, read_open_tables
from tilebox_celery.datasets.checked_tables import is_checked
from tilebox_celery.datasets.schema import Field, FieldType
from tilebox_celery.datasets.sync.timeseries import TimeseriesCollection

STAC = Path(__file__).parents[1] / "data" / "stac"
ITEMS = STAC / "sentinel-2-l2a-africa-2020-06-06.json"
SENTINEL2 = "open_data.copernicus.sentinel2_msi"
JUNE = ("2020-06-01", "2020-07-01")


def test_a_table_of_the_catalogs_reader_is_stored_as_its_copy_would_be(
    datasets_client: Client, sentinel2: TimeseriesCollection
) -> None:
    """What `read_open_tables` gives is not looked at again, a copy is: both get the ids of the items that are there."""
    [table] = read_open_tables(SENTINEL2, ITEMS).values()
    stored = sentinel2.load(JUNE)["id"].to_numpy().tolist()

    ids = sentinel2.ingest(table)
    ids_of_copy = sentinel2.ingest(pa.Table.from_pydict({name: table[name] for name in table.column_names}))

    assert is_checked(table)
    assert ids == ids_of_copy
    assert sorted(map(str, ids)) == sorted(stored)
    assert sentinel2.info().count == len(ids) == 9


def test_a_table_of_the_catalogs_reader_fits_a_dataset_with_more_fields(datasets_client: Client) -> None:
    """A dataset that somebody gave another field takes the table too; the field is absent."""
    ready = create_open_dataset(datasets_client, SENTINEL2)
    fields = (*ready.fields, Field("grade", FieldType.INT64))
    wider = datasets_client.create_or_update_dataset(ready.schema.kind, SENTINEL2, fields)
    [(name, table)] = read_open_tables(SENTINEL2, ITEMS).items()

    wider.create_collection(name).ingest(table)

    assert wider.collection(name).load(JUNE)["grade"].to_numpy().tolist() == [0] * 9


@pytest.mark.parametrize(
    ("slug", "file"),
    [
        ("open_data.copernicus.sentinel1_sar", "sentinel-1-rtc.json"),
        ("open_data.copernicus.sentinel2_msi", "sentinel-2-l2a-africa-2020-06-06.json"),
        ("open_data.copernicus.landsat8_oli_tirs", "landsat-c2-l2.json"),
    ],
)
def test_pystac_and_the_file_give_the_same_datapoints(slug: str, file: str) -> None:
    """pystac writes the projection of older items anew, as proj:code; they got other ids then, and were there twice."""
    path = STAC / file

    of_file, of_pystac = (dict(read_open_tables(slug, each)) for each in (path, pystac.ItemCollection.from_file(path)))

    assert of_pystac == of_file
    assert all(None not in table["proj_code"].to_pylist() for table in of_file.values())
