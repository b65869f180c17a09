"""The asynchronous datasets client: each request runs in a thread of its own, so that several overlap."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tilebox_celery.datasets.aio.client import Client
    from tilebox_celery.datasets.aio.dataset import Dataset
    from tilebox_celery.datasets.aio.timeseries import TimeseriesCollection

__all__ = ["Client", "Dataset", "TimeseriesCollection"]


def __getattr__(name: str) -> object:
    """Load a public name on first use."""
    homes = {"Client": "client", "Dataset": "dataset", "TimeseriesCollection": "timeseries"}
    if name in homes:
        from importlib import import_module

        return getattr(import_module(f"tilebox_celery.datasets.aio.{homes[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
