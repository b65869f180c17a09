"""Ready datasets of open satellite data: their schemas, and how the providers' listings become datapoints of them."""

from tilebox_celery.datasets.open_data.catalog import catalog, find_open_dataset
from tilebox_celery.datasets.open_data.dataset import Description, OpenDataset

__all__ = ["Description", "OpenDataset", "catalog", "find_open_dataset"]
