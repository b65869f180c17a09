"""Say which value of which row Postgres would not take."""

import json
from uuid import UUID

import pyarrow as pa

from tilebox_celery.datasets.schema import Field, FieldType, Schema
from tilebox_celery.datasets.store.arrow_connection import ArrowError
from tilebox_celery.errors import ArgumentError

TEXTS = (FieldType.STRING, FieldType.ENUM, FieldType.JSON)


def refuse_unstorable(schema: Schema, table: pa.Table, error: ArrowError) -> None:
    """Raise a sentence for a text that has a NUL character or is no JSON; called after COPY has failed.

    Raises:
        ArgumentError: With the field and the datapoint.
    """
    if error.sqlstate not in ("22021", "22P02", "22P05"):
        return
    for field in schema.fields:
        if field.type in TEXTS:
            _refuse_texts(field, table, error)


def _refuse_texts(field: Field, table: pa.Table, error: ArrowError) -> None:
    for place, value in enumerate(table.column(field.name).to_pylist()):
        for text in value or [] if field.is_array else [value]:
            if text is not None and "\0" in text:
                raise ArgumentError(_sentence(field, table, place, "has a NUL character")) from error
            if text is not None and field.type is FieldType.JSON and not _is_json(text):
                raise ArgumentError(_sentence(field, table, place, "is no JSON")) from error


def _sentence(field: Field, table: pa.Table, place: int, what: str) -> str:
    identifier = UUID(bytes=table.column("id")[place].as_py())
    time = table.column("time")[place].as_py().isoformat(timespec="milliseconds")
    return (
        f"Field '{field.name}' of the datapoint {identifier} at {time} {what}, which cannot be stored; nothing was "
        "stored: correct that value."
    )


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return False
    return True


def _refuse_constant(name: str) -> None:
    raise ValueError(name)  # NaN and Infinity, which JSON does not have
