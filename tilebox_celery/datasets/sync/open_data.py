"""Make and fill the ready datasets of the catalog of open data."""

from typing import TYPE_CHECKING

from tilebox_celery.datasets.checked_tables import checked
from tilebox_celery.datasets.listing import refuse
from tilebox_celery.datasets.open_data import catalog, find_open_dataset
from tilebox_celery.datasets.store.pages import join

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from tilebox_celery.datasets.listing import Listing, Skip
    from tilebox_celery.datasets.stac import ItemSource
    from tilebox_celery.datasets.sync.client import Client
    from tilebox_celery.datasets.sync.dataset import Dataset


def is_open_dataset(slug: str) -> bool:
    """Tell whether the catalog has a dataset of this name."""
    return any(each.slug == slug for each in catalog())


def create_open_dataset(client: "Client", slug: str) -> "Dataset":
    """Make a dataset of the catalog, or bring it to the fields of this version.

    Raises:
        NotFoundError: The catalog has none of this name.

    Example:
        create_open_dataset(Client(), "open_data.copernicus.sentinel2_msi")
    """
    ready = find_open_dataset(slug)
    return client.create_or_update_dataset(
        ready.schema.kind,
        slug,
        ready.schema.fields,
        name=ready.name,
        description=f"{ready.summary}\n\n{ready.description}",
    )


def read_open_tables(
    slug: str, source: "ItemSource | Listing", *, skip: "Skip" = refuse, show_progress: bool = False
) -> "Mapping[str, pa.Table]":
    """Return the datapoints of a provider's listing or of STAC items by the collection that each belongs to.

    Args:
        slug: Of a dataset of the catalog.
        source: A file, a URL, or items, or what a storage client lists, such as `UmbraStorageClient.listing`.
        skip: Takes a sentence on each product of a listing that cannot be used; by default that is an error.
        show_progress: Whether to draw how many products of a listing were read so far.

    Raises:
        ArgumentError: An item cannot be used; nothing is stored then.
        CatalogUnavailable: A URL cannot be reached.
        TileboxCeleryError: The storage of the provider cannot be read.

    Example:
        for name, table in read_open_tables(dataset.slug, "items.json").items():
            dataset.get_or_create_collection(name).ingest(table)

        listing = UmbraStorageClient().listing("sar-data/tasks/ad hoc")
        tables = read_open_tables("open_data.umbra.sar", listing)
    """
    found: dict[str, list[pa.Table]] = {}
    for tables in find_open_dataset(slug).read_tables(source, skip, show_progress):
        for name, table in tables.items():
            found.setdefault(name, []).append(table)
    return {name: checked(join(tables)) for name, tables in found.items()}
