"""STAC items and GeoJSON features, from wherever they are, as Arrow tables of a dataset."""

from tilebox_celery.datasets.stac.geojson import geojson_to_table, infer_geojson_schema
from tilebox_celery.datasets.stac.inference import infer_schema
from tilebox_celery.datasets.stac.sources import ItemSource, read_items, read_tables
from tilebox_celery.datasets.stac.table import items_to_table

__all__ = [
    "ItemSource",
    "geojson_to_table",
    "infer_geojson_schema",
    "infer_schema",
    "items_to_table",
    "read_items",
    "read_tables",
]
