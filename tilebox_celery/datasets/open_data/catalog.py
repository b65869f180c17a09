"""The list of all ready datasets."""

from difflib import get_close_matches

from tilebox_celery.datasets.open_data.dataset import OpenDataset
from tilebox_celery.datasets.open_data.ers import ERS_SAR
from tilebox_celery.datasets.open_data.landsat8 import LANDSAT8_OLI_TIRS
from tilebox_celery.datasets.open_data.sentinel1 import SENTINEL1_SAR
from tilebox_celery.datasets.open_data.sentinel2 import SENTINEL2_MSI
from tilebox_celery.datasets.open_data.sentinel3 import SENTINEL3
from tilebox_celery.datasets.open_data.sentinel5p import SENTINEL5P_TROPOMI
from tilebox_celery.datasets.open_data.umbra import UMBRA_SAR
from tilebox_celery.errors import NotFoundError

_ALL = (
    SENTINEL1_SAR,
    SENTINEL2_MSI,
    SENTINEL3,
    SENTINEL5P_TROPOMI,
    LANDSAT8_OLI_TIRS,
    ERS_SAR,
    UMBRA_SAR,
)


def catalog() -> list[OpenDataset]:
    """Return all ready datasets.

    Example:
        >>> [dataset.slug for dataset in catalog()][:2]
        ['open_data.copernicus.sentinel1_sar', 'open_data.copernicus.sentinel2_msi']
    """
    return list(_ALL)


def find_open_dataset(slug: str) -> OpenDataset:
    """Return the ready dataset of a slug.

    Raises:
        NotFoundError: There is none; it names the most similar one.
    """
    by_slug = {dataset.slug: dataset for dataset in _ALL}
    if slug in by_slug:
        return by_slug[slug]
    similar = get_close_matches(slug, by_slug, n=1, cutoff=0)[0]
    raise NotFoundError(f"No such open dataset {slug!r}; the most similar one is {similar!r}.")
