"""Store and delete what a client hands over: find out what it is, make one Arrow table of it, pass it to the store."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tilebox_celery.datasets.progress import follow
from tilebox_celery.datasets.recognition import Form, recognise
from tilebox_celery.datasets.schema import Schema

if TYPE_CHECKING:
    import pyarrow as pa

    from tilebox_celery.datasets.querying import ShowProgress
    from tilebox_celery.datasets.store.records import CollectionRecord, DatasetRecord
    from tilebox_celery.datasets.store.store import DatasetStore


def ingest(
    store: "DatasetStore",
    dataset: "DatasetRecord",
    collection: "CollectionRecord",
    data: Any,
    allow_existing: bool = True,
    show_progress: "ShowProgress" = False,
) -> list[UUID]:
    """Store datapoints; see `TimeseriesCollection.ingest`."""
    return list(follow(_steps(store, dataset, collection, data, allow_existing), show_progress, _title(collection)))[-1]


def _steps(
    store: "DatasetStore", dataset: "DatasetRecord", collection: "CollectionRecord", data: Any, allow_existing: bool
) -> Iterator[tuple[list[UUID], float]]:
    """Yield the ids that are stored after each step, with the share of the time that it usually takes."""
    from tilebox_celery.datasets.identifiers import datapoint_ids

    table = read_datapoints(data, dataset.schema)
    yield [], 0.3
    ids = datapoint_ids(table, collection.id.bytes)
    yield [], 0.5
    store.ingest(collection, table.add_column(1, "id", ids), allow_existing=allow_existing)
    yield [UUID(bytes=each) for each in ids.to_pylist()], 1.0


def _title(collection: "CollectionRecord") -> str:
    return f"Ingesting into {collection.name}"


def read_datapoints(data: Any, schema: Schema) -> "pa.Table":
    """Return what a person handed over as an Arrow table of a schema, without ids.

    Raises:
        ArgumentError: It cannot be read, or a row does not fit; nothing is stored then.
    """
    from tilebox_celery.datasets import incoming, stac
    from tilebox_celery.datasets.arrow_types import table_schema
    from tilebox_celery.datasets.checked_tables import is_checked

    if is_checked(data) and data.schema.equals(table_schema(schema, with_ids=False)):
        return data
    form, data = recognise(data)
    if form is Form.GEOJSON:
        return stac.geojson_to_table(data, schema)
    if form is Form.ROWS:
        return incoming.to_table(data, schema)
    import pyarrow as pa

    tables = list(stac.read_tables(data, schema))
    return pa.concat_tables(tables) if tables else table_schema(schema, with_ids=False).empty_table()


def infer(data: Any) -> Schema:
    """Return the schema that fits some data.

    Raises:
        ArgumentError: It cannot be read, or has no time.
    """
    from itertools import chain

    from tilebox_celery.datasets import incoming, stac

    form, data = recognise(data)
    if form is Form.GEOJSON:
        return stac.infer_geojson_schema(data)
    if form is Form.ROWS:
        return incoming.infer_schema(data)
    return stac.infer_schema(chain.from_iterable(stac.read_items(data)))


def delete(store: "DatasetStore", collection: "CollectionRecord", datapoints: Any) -> int:
    """Delete datapoints; see `TimeseriesCollection.delete`."""
    return store.delete(collection, _ids_of(datapoints))


def _ids_of(datapoints: Any) -> Sequence[UUID]:
    from tilebox_celery.datasets.identifiers import parse_datapoint_id

    if isinstance(datapoints, (str, UUID)):
        return [parse_datapoint_id(datapoints)]
    if hasattr(datapoints, "data_vars"):  # an xarray.Dataset, without loading xarray to ask
        datapoints = datapoints["id"] if "id" in datapoints.coords else []
    if hasattr(datapoints, "to_numpy"):  # its ids, or those of a DataFrame
        datapoints = datapoints.to_numpy().ravel()
    if not isinstance(datapoints, Iterable) or isinstance(datapoints, Path):
        raise TypeError(f"Ids of datapoints are UUIDs, not {type(datapoints).__name__}.")
    return [parse_datapoint_id(each if isinstance(each, UUID) else str(each)) for each in datapoints]
