"""Fields that many of the ready datasets have, and short ways to write a field."""

from functools import partial

from tilebox_celery.datasets.schema import Field, FieldType


def _field(field_type: FieldType, name: str, description: str, example: str = "", *, is_array: bool = False) -> Field:
    is_queryable = not is_array and field_type not in {FieldType.JSON, FieldType.GEOMETRY, FieldType.LATLON}
    return Field(name, field_type, is_array, is_queryable, description, example)


text = partial(_field, FieldType.STRING)
choice = partial(_field, FieldType.ENUM)
integer = partial(_field, FieldType.INT64)
number = partial(_field, FieldType.DOUBLE)
truth = partial(_field, FieldType.BOOL)
moment = partial(_field, FieldType.TIMESTAMP)

GEOMETRY = _field(FieldType.GEOMETRY, "geometry", "The footprint on the ground, in degrees.")
GRANULE_NAME = text("granule_name", "The product's name by its provider, unique in the mission.")
PROCESSING_LEVEL = choice("processing_level", "How far the data are processed, L0 being raw.", "L1")
SATELLITE = text("satellite", "The satellite that took the data.")
PRODUCT_TYPE = text("product_type", "The kind of product, in the provider's words.")
COPERNICUS_ID = _field(
    FieldType.UUID,
    "copernicus_id",
    "The product's id in the Copernicus Data Space.",
    "2181f9f6-1ef0-510c-b715-0f2993200000",
)
LOCATION = text("location", "The path or URL of the product's files, which storage clients download from.")
FILE_SIZE = integer("file_size", "Size of the whole product in bytes.", "1073741824")
ONLINE = truth("online", "Whether the product can be downloaded at once, rather than after an order.", "true")
THUMBNAIL = text("thumbnail", "Where a small picture of the product is.")
PUBLISHED = moment("published", "When the provider published the product.")
START_TIME = moment("start_time", "When sensing began.")
END_TIME = moment("end_time", "When sensing ended.")
ORBIT_NUMBER = integer("orbit_number", "Orbits since launch.", "53498")
RELATIVE_ORBIT = integer(
    "relative_orbit_number", "The orbit within one cycle of repeats, the same track each time.", "51"
)
FLIGHT_DIRECTION = choice(
    "flight_direction", "ASCENDING if the satellite flew to the north, DESCENDING if to the south.", "DESCENDING"
)
CLOUD_COVER = number("cloud_cover", "How much of the product is covered by clouds, in percent.", "12.5")
CENTER = _field(FieldType.LATLON, "center", "Latitude and longitude of the middle of the footprint.", "-7.7, 27.5")

ITEM_FIELDS = (
    text("stac_id", "The id of the STAC item that the datapoint was made from."),
    integer("proj_epsg", "EPSG number of the projection of the product's pixels.", "32735"),
    _field(FieldType.INT64, "proj_shape", "Rows and columns of the product's pixels.", "10980, 10980", is_array=True),
    _field(
        FieldType.DOUBLE,
        "proj_transform",
        "The affine transform from column and row of a pixel to its place in the projection, row by row.",
        "10, 0, 499980, 0, -10, 9200020",
        is_array=True,
    ),
    text("proj_code", "Authority and number of the projection, for one without an EPSG number too.", "EPSG:32735"),
    _field(FieldType.JSON, "storage_schemes", "How the places of the files are stored, by the names that assets use."),
    _field(FieldType.JSON, "auth_schemes", "How to log in to the places of the files, by the names that assets use."),
    _field(
        FieldType.JSON,
        "assets",
        "Every file of the product by name, as its STAC item describes it: href, bands, nodata, projection.",
    ),
)
"""What raster jobs need to read the pixels; the last fields of each dataset."""

COPERNICUS_FIELDS = (
    GEOMETRY,
    GRANULE_NAME,
    PROCESSING_LEVEL,
    SATELLITE,
    PRODUCT_TYPE,
    COPERNICUS_ID,
    LOCATION,
    FILE_SIZE,
    ONLINE,
    THUMBNAIL,
    PUBLISHED,
    START_TIME,
    END_TIME,
)
"""What every product of the Copernicus Data Space has."""
