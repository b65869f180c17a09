"""Time-series datasets: satellite metadata in Postgres, loaded as xarray; everything is imported on first use."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tilebox_celery.datasets.collection_info import CollectionInfo
    from tilebox_celery.datasets.data import TimeInterval
    from tilebox_celery.datasets.filters import field
    from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType
    from tilebox_celery.datasets.sync.client import Client
    from tilebox_celery.datasets.sync.dataset import Dataset
    from tilebox_celery.datasets.sync.open_data import create_open_dataset, read_open_tables
    from tilebox_celery.datasets.sync.timeseries import TimeseriesCollection

__all__ = [
    "Client",
    "CollectionInfo",
    "Dataset",
    "DatasetKind",
    "Field",
    "FieldType",
    "TimeInterval",
    "TimeseriesCollection",
    "create_open_dataset",
    "field",
    "read_open_tables",
]

_HOMES = {
    "Client": "sync.client",
    "CollectionInfo": "collection_info",
    "Dataset": "sync.dataset",
    "DatasetKind": "schema",
    "Field": "schema",
    "FieldType": "schema",
    "TimeInterval": "data",
    "TimeseriesCollection": "sync.timeseries",
    "create_open_dataset": "sync.open_data",
    "field": "filters",
    "read_open_tables": "sync.open_data",
}


def __getattr__(name: str) -> object:
    """Load a public name on first use: a workflow that only names a dataset loads neither numpy nor xarray."""
    if name in _HOMES:
        value: object = getattr(import_module(f"tilebox_celery.datasets.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, too."""
    return sorted({*globals(), *__all__})
