"""The Arrow type of each field, and the Arrow schema of the tables that all parts of datasets pass around."""

import pyarrow as pa

from tilebox_celery.datasets.schema import VECTOR_SIZES, Field, FieldType, Schema

TIME_TYPE = pa.timestamp("ms")
"""Of the column `time`, in UTC; the precision by which datapoints are ordered and found."""
ID_TYPE = pa.binary(16)
"""Of the column `id`: the bytes of a UUID."""
INGESTION_TIME_TYPE = pa.timestamp("us")
"""Of the column `ingestion_time`, in UTC; the precision of the database's clock."""

_VALUE_TYPES = {
    FieldType.STRING: pa.string(),
    FieldType.BYTES: pa.binary(),
    FieldType.BOOL: pa.bool_(),
    FieldType.INT32: pa.int32(),
    FieldType.INT64: pa.int64(),
    FieldType.UINT64: pa.uint64(),
    FieldType.FLOAT: pa.float32(),
    FieldType.DOUBLE: pa.float64(),
    FieldType.TIMESTAMP: pa.timestamp("ns"),
    FieldType.DURATION: pa.duration("ns"),
    FieldType.UUID: pa.binary(16),
    FieldType.ENUM: pa.string(),
    FieldType.GEOMETRY: pa.binary(),
    FieldType.JSON: pa.string(),
    **{type_: pa.list_(pa.float64(), size) for type_, size in VECTOR_SIZES.items()},
}


def value_type(field_type: FieldType) -> pa.DataType:
    """Return the Arrow type of one value.

    Example:
        >>> value_type(FieldType.UUID)
        FixedSizeBinaryType(fixed_size_binary[16])
    """
    return _VALUE_TYPES[field_type]


def arrow_type(field: Field) -> pa.DataType:
    """Return the Arrow type of the column of a field.

    Example:
        >>> arrow_type(Field("bands", FieldType.STRING, is_array=True))
        ListType(list<item: string>)
    """
    return pa.list_(value_type(field.type)) if field.is_array else value_type(field.type)


def table_schema(schema: Schema, with_ids: bool = True) -> pa.Schema:
    """Return the columns of a table of datapoints, in order.

    Args:
        schema: Of the dataset.
        with_ids: Whether the table has `id` and `ingestion_time`; one on its way in does not yet.

    Example:
        >>> from tilebox_celery.datasets.schema import DatasetKind
        >>> schema = Schema(DatasetKind.TEMPORAL, (Field("cloud_cover", FieldType.DOUBLE),))
        >>> table_schema(schema).names
        ['time', 'id', 'ingestion_time', 'cloud_cover']
    """
    ids = [pa.field("id", ID_TYPE), pa.field("ingestion_time", INGESTION_TIME_TYPE)] if with_ids else []
    fields = [pa.field(each.name, arrow_type(each)) for each in schema.fields]
    return pa.schema([pa.field("time", TIME_TYPE), *ids, *fields])
