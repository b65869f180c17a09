"""Make tables of a provider's own listing, and leave out what is no usable product."""

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tilebox_celery.datasets.listing import Listing, Skip, refuse
from tilebox_celery.datasets.progress import count
from tilebox_celery.datasets.stac.products import Item
from tilebox_celery.datasets.stac.sources import read_items_and
from tilebox_celery.errors import ArgumentError

if TYPE_CHECKING:
    from tilebox_celery.datasets.open_data.dataset import OpenDataset

ListItems = Callable[[Listing, Any, Skip], Iterator[Item]]
"""Yields items, given the pattern of a product's name and what takes a sentence on each product that is left out."""


def not_listed(reason: str) -> ListItems:
    """Return what refuses every listing of a dataset, and says what to use instead."""

    def list_items(listing: Listing, pattern: Any, skip: Skip) -> Iterator[Item]:
        raise ArgumentError(reason)

    return list_items


def read_listing(
    dataset: "OpenDataset", listing: Listing, skip: Skip, show_progress: bool = False
) -> Iterator[dict[str, pa.Table]]:
    """Yield tables by the name of their collection, for some products of a listing at a time.

    Args:
        dataset: Of the catalog.
        listing: Of its provider.
        skip: Takes a sentence on each product that is left out; `refuse` leaves none out.
        show_progress: Whether to draw how many products were read so far.

    Raises:
        ArgumentError: The dataset cannot be made of a listing, or `skip` raises it.
        TileboxCeleryError: The provider cannot be read.
    """
    listed = dataset.list_items(listing, dataset.name_pattern, skip)
    items = count(listed, show_progress, f"Listing {dataset.slug}", "products")
    for tables in read_items_and(lambda chunk, number: _usable(dataset, chunk, number, skip), items):
        yield {name: _without_stac_ids(table) for name, table in tables.items()}


def _usable(dataset: "OpenDataset", items: list[Item], number: int, skip: Skip) -> dict[str, pa.Table]:
    try:
        return dataset.items_to_tables(items, number)
    except ArgumentError:
        if skip is refuse:
            raise
    found: list[dict[str, pa.Table]] = []
    for at, item in enumerate(items):
        try:
            found.append(dataset.items_to_tables([item], number + at))
        except ArgumentError as error:
            skip(str(error))
    names = dict.fromkeys(chain.from_iterable(found))
    return {name: pa.concat_tables([each[name] for each in found if name in each]) for name in names}


def _without_stac_ids(table: pa.Table) -> pa.Table:
    """Return a table whose rows were made of no STAC items."""
    position = table.schema.get_field_index("stac_id")
    field = table.schema.field(position)
    return table.set_column(position, field, pa.nulls(table.num_rows, field.type))
