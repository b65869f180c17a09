"""One ready dataset: what it is, its schema, and how items of its provider become tables of its collections."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from tilebox_celery.datasets.garbage import collector_paused
from tilebox_celery.datasets.listing import Listing, Skip, refuse
from tilebox_celery.datasets.open_data.listing import ListItems, read_listing
from tilebox_celery.datasets.schema import Schema
from tilebox_celery.datasets.stac.products import Item, hrefs, product_folder, product_name
from tilebox_celery.datasets.stac.sources import ItemSource, read_items_and
from tilebox_celery.datasets.stac.table import check_items, items_to_table
from tilebox_celery.errors import ArgumentError

_ENDINGS = re.compile(r"\.(SAFE|SEN3|nc|zip|tar|EOF)$")


@dataclass(frozen=True)
class Description:
    """What a dataset knows of one item: the collection it belongs to, and values of fields by name."""

    collection: str
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class Product:
    """An item, and what the names of its files say.

    Args:
        item: A checked STAC item.
        name: The product's name, without an ending such as .SAFE.
        folder: The href of the folder of that name, None where the item's files are in none.
        parts: The match of the dataset's name pattern.
    """

    item: Item
    name: str
    folder: str | None
    parts: re.Match[str]

    @property
    def properties(self) -> dict[str, Any]:
        """What the item says."""
        properties: dict[str, Any] = self.item["properties"]
        return properties


Describe = Callable[[Product], Description]


@dataclass(frozen=True)
class OpenDataset:
    """A ready dataset of open satellite data.

    Args:
        slug: Under which the documents load it.
        name: For people.
        summary: One sentence.
        description: Some sentences: what the products are, who provides them, what a collection holds.
        schema: Each field with a description.
        collections: Names of those that its products belong to; new satellites and kinds of products add others.
        listing_url: Where the provider lists its products, as a source of items; parameters narrow a search.
        name_pattern: Matches the beginning of the name of each of its products.
        describe: Reads the names of a product, and the provider's own properties.
        list_items: Makes items of the files in the provider's storage, or says why that cannot be.
        prepare: Makes a STAC item of an entry of the provider's search, where that is none.
    """

    slug: str
    name: str
    summary: str
    description: str
    schema: Schema
    collections: tuple[str, ...]
    listing_url: str
    name_pattern: re.Pattern[str] = field(repr=False)
    describe: Describe = field(repr=False)
    list_items: ListItems = field(repr=False)
    prepare: Callable[[Item], Item] = field(repr=False, default=lambda item: item)

    def read_tables(
        self, source: ItemSource | Listing, skip: Skip = refuse, show_progress: bool = False
    ) -> Iterator[dict[str, pa.Table]]:
        """Yield tables by the name of their collection, for some items of a source at a time.

        Args:
            source: As for `stac.read_items`, or the provider's own listing.
            skip: Takes a sentence on each product of a listing that cannot be used; by default it is an error.
            show_progress: Whether to draw how many products of a listing were read so far.

        Raises:
            ArgumentError: An item cannot be used, or is a product of another dataset; it names the item and why.
            CatalogUnavailable: A URL cannot be reached.
        """
        if isinstance(source, Listing):
            return read_listing(self, source, skip, show_progress)
        return read_items_and(self.items_to_tables, source)

    def items_to_tables(self, items: list[Item], first_number: int = 0) -> dict[str, pa.Table]:
        """Return a table without ids for each collection that some of these items belong to.

        Args:
            items: Of the provider.
            first_number: The number of the first item in its source, counted from 0, for errors.

        Raises:
            ArgumentError: As `read_tables` does.
        """
        with collector_paused():
            prepared = [self.prepare(item) if isinstance(item, dict) else item for item in items]
            check_items(prepared, first_number)
            described = [self._describe(item, first_number + at) for at, item in enumerate(prepared)]
            facts = [each.facts for each in described]
            table = items_to_table(prepared, self.schema, facts=facts, first_number=first_number)
        rows: dict[str, list[int]] = {}
        for position, each in enumerate(described):
            rows.setdefault(each.collection, []).append(position)
        if len(rows) == 1:
            return {described[0].collection: table}
        return {name: table.take(pa.array(positions)) for name, positions in rows.items()}

    def _describe(self, item: Item, number: int) -> Description:
        folder = product_folder(item)
        name = product_name(item, folder)
        found = self.name_pattern.match(name) or self._in_hrefs(item)
        if found is None:
            raise ArgumentError(
                f"Item {number} ({item['id']!r}) is no product of {self.slug}: its name is not of that form; "
                "ingest it into the dataset of its mission."
            )
        try:
            return self.describe(Product(item, _ENDINGS.sub("", name), folder, found))
        except (TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
            raise ArgumentError(
                f"Item {number} ({item['id']!r}) is unlike the products of {self.slug}: {error!r} on reading its "
                "properties; correct the item or leave it out."
            ) from error

    def _in_hrefs(self, item: Item) -> re.Match[str] | None:
        """Return the match in the name of a folder or file, for items whose id is none of the provider's names."""
        for href in hrefs(item):
            for segment in reversed(href.split("/")):
                found = self.name_pattern.match(segment)
                if found is not None:
                    return found
        return None
