"""Datasets, fields and collections as tables for people and documents for programs."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tilebox_celery.datasets.collection_info import CollectionInfo
    from tilebox_celery.datasets.schema import Field
    from tilebox_celery.datasets.sync.dataset import Dataset

EVERY_DATAPOINT = (
    ("time", "timestamp", "When; milliseconds."),
    ("id", "uuid", "Computed from the values; sorting ids sorts by time."),
    ("ingestion_time", "timestamp", "When it was stored."),
)


def dataset_document(dataset: "Dataset") -> dict[str, Any]:
    """Return what JSON says of a dataset."""
    return {
        "id": str(dataset.id),
        "slug": dataset.slug,
        "name": dataset.name,
        "kind": str(dataset.schema.kind),
        "description": dataset.description,
        "fields": [
            {
                "name": each.name,
                "type": type_of(each),
                "queryable": each.queryable,
                "description": each.description,
                "example": each.example,
            }
            for each in dataset.fields
        ],
    }


def info_document(info: "CollectionInfo") -> dict[str, Any]:
    """Return what JSON says of a collection."""
    availability = info.availability
    return {
        "name": info.name,
        "count": info.count,
        "first": None if availability is None else availability.start.isoformat(),
        "last": None if availability is None else availability.end.isoformat(),
    }


def field_rows(dataset: "Dataset") -> list[tuple[str, str, str]]:
    """Return name, type and description of each field, beginning with those that every datapoint has."""
    own = [
        (each.name, type_of(each), each.description + (f" Example: {each.example}." if each.example else ""))
        for each in dataset.fields
    ]
    return [*EVERY_DATAPOINT, *own]


def type_of(field: "Field") -> str:
    """Write the type of a field as ``dataset create --field`` takes it."""
    return f"list[{field.type}]" if field.is_array else str(field.type)
