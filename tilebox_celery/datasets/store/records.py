"""What the store knows of a dataset and of a collection, as plain values."""

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import pyarrow as pa

from tilebox_celery.datasets.schema import Schema


@dataclass(frozen=True)
class DatasetRecord:
    """One dataset.

    Args:
        id: Public.
        key: Names its table of rows.
        slug: Groups and the dataset's own name, with dots between.
        name: For people.
        description: For people.
        schema: Its fields.
    """

    id: UUID
    key: int
    slug: str
    name: str
    description: str
    schema: Schema


@dataclass(frozen=True)
class CollectionRecord:
    """One collection of a dataset.

    Args:
        id: Public; its bytes go into the ids of its datapoints.
        key: In the tables.
        name: Unique in its dataset.
        dataset: That it belongs to.
    """

    id: UUID
    key: int
    name: str
    dataset: DatasetRecord


class CollectionInfo(NamedTuple):
    """How many datapoints a collection has, and the times of the first and the last one in Unix milliseconds."""

    total: int
    first_ms: int | None
    last_ms: int | None


class Page(NamedTuple):
    """A part of a load, in the order of time.

    Args:
        table: Datapoints sorted by (time, id); never empty.
        end_ms: All datapoints before this Unix millisecond have been given.
        expected: Rows of this page and of those after it, as far as they are known.
    """

    table: pa.Table
    end_ms: int
    expected: int = 0
