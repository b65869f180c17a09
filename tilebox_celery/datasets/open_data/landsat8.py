"""The dataset of Landsat 8 and its twin Landsat 9: optical and thermal images of USGS."""

import re
from typing import Any

from tilebox_celery.datasets.open_data.copernicus import copernicus_facts
from tilebox_celery.datasets.open_data.dataset import Description, OpenDataset, Product
from tilebox_celery.datasets.open_data.fields import (
    CENTER,
    CLOUD_COVER,
    COPERNICUS_FIELDS,
    ITEM_FIELDS,
    choice,
    integer,
    number,
    text,
)
from tilebox_celery.datasets.open_data.listing import not_listed
from tilebox_celery.datasets.schema import DatasetKind, Schema
from tilebox_celery.datasets.stac.products import Item

_NAME = re.compile(
    r"L[COT](?P<satellite>0[89])_(?P<type>L1GT|L1GS|L1TP|L1T|L2SP|L2SR)_(?P<path>\d{3})(?P<row>\d{3})_\d{8}_"
    r"(?:\d{8}_)?(?P<collection>\d\d)_(?P<category>RT|T1|T2|A1|A2)"
)


def _describe(product: Product) -> Description:
    name = product.parts
    facts = {
        **copernicus_facts(product, product.name),
        "processing_level": name["type"][:2],
        "satellite": f"LANDSAT-{int(name['satellite'])}",
        "product_type": name["type"],
        "bands": _count_bands(product.item),
        "path": int(name["path"]),
        "row": int(name["row"]),
        "resolution": product.properties.get("gsd"),
        "collection_number": name["collection"],
        "collection_category": name["category"],
    }
    return Description(name["type"], facts)


def _count_bands(item: Item) -> int:
    assets: list[dict[str, Any]] = [each for each in (item.get("assets") or {}).values() if isinstance(each, dict)]
    return sum(len(asset.get("eo:bands") or asset.get("bands") or ()) for asset in assets)


LANDSAT8_OLI_TIRS = OpenDataset(
    slug="open_data.copernicus.landsat8_oli_tirs",
    name="Landsat-8 OLI/TIRS",
    summary="Optical and thermal images of land in 11 bands, at 15 to 100 metres.",
    description=(
        "The scenes that Landsat 8, and Landsat 9 with the same instruments, take for NASA and USGS, also mirrored by "
        "the Copernicus Data Space. A collection holds one kind of product: L1TP (corrected with terrain and ground "
        "control), L1GT and L1GS (without), L2SP (surface reflectance and temperature) or L2SR (reflectance only)."
    ),
    schema=Schema(
        DatasetKind.SPATIOTEMPORAL,
        (
            *COPERNICUS_FIELDS,
            integer("bands", "Bands of the product.", "11"),
            integer("path", "Path of the Worldwide Reference System, the track on the ground.", "89"),
            integer("row", "Row of the Worldwide Reference System, the place on the track.", "90"),
            number("sun_elevation", "Angle of the sun above the horizon, in degrees.", "27.4"),
            number("sun_azimuth", "Direction to the sun, in degrees from north by east.", "38.8"),
            CLOUD_COVER,
            number("cloud_cover_land", "How much of the land in the scene is covered by clouds, in percent.", "100"),
            integer("resolution", "Size of a pixel on the ground, in metres.", "30"),
            text("scene_id", "Name of the scene, whatever the processing.", "LC90890902024108LGN00"),
            text("collection_number", "Number of the collection of the archive.", "02"),
            choice("collection_category", "RT real time, T1 fit for analysis of time series, T2 less exact.", "T1"),
            CENTER,
            *ITEM_FIELDS,
        ),
    ),
    collections=("L1GS", "L1GT", "L1TP", "L2SP", "L2SR"),
    listing_url="https://landsatlook.usgs.gov/stac-server/search?collections=landsat-c2l1,landsat-c2l2-sr,landsat-c2l2-st",
    name_pattern=_NAME,
    describe=_describe,
    list_items=not_listed(
        "The names of Landsat products have no time of day, so that no datapoint can be made of a listing: "
        "ingest the URL of a STAC API search, or a STAC file."
    ),
)
