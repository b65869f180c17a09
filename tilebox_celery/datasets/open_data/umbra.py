"""The dataset of Umbra: X-band radar of high resolution from the company's open data."""

import re
from typing import Any
from urllib.parse import unquote

from tilebox_celery.datasets.open_data.dataset import Description, OpenDataset, Product
from tilebox_celery.datasets.open_data.fields import (
    CENTER,
    END_TIME,
    GEOMETRY,
    GRANULE_NAME,
    ITEM_FIELDS,
    LOCATION,
    PROCESSING_LEVEL,
    PRODUCT_TYPE,
    SATELLITE,
    START_TIME,
    choice,
    number,
    text,
)
from tilebox_celery.datasets.open_data.listed_umbra import list_umbra
from tilebox_celery.datasets.schema import DatasetKind, Schema
from tilebox_celery.datasets.stac.products import Item, hrefs

_NAME = re.compile(r"(?P<name>\d{4}(?:-\d\d){5}_(?P<satellite>UMBRA-\d\d))")
_TASKS = "/sar-data/tasks/"


def _describe(product: Product) -> Description:
    found, name = product.properties, product.parts
    polarizations = found.get("sar:polarizations")
    facts = {
        "granule_name": name["name"],
        "location": _location(product.item, name["name"]),
        "processing_level": "L1",
        "satellite": name["satellite"],
        "product_type": found.get("sar:product_type") or "SAR",
        "start_time": found.get("start_datetime"),
        "end_time": found.get("end_datetime"),
        "acquisition_mode": found.get("sar:instrument_mode"),
        "polarization": "+".join(polarizations) if polarizations else None,
        "range_resolution": found.get("sar:resolution_range"),
        "azimuth_resolution": found.get("sar:resolution_azimuth"),
        "grazing_angle": _angle(found, "grazing_angle"),
        "squint_angle": _angle(found, "squint_angle"),
        "task_id": found.get("umbra:task_id"),
    }
    return Description("SAR", facts)


def _angle(properties: dict[str, Any], name: str) -> Any:
    return properties.get(f"umbra:{name}_degrees", properties.get(f"umbra:{name}"))


def _location(item: Item, name: str) -> str | None:
    """Return the folder below the bucket's tasks, as UmbraStorageClient expects it."""
    for href in hrefs(item):
        path = unquote(href)
        start = path.find(_TASKS)
        end = path.find(f"/{name}/", start)
        if 0 <= start < end:
            return path[start + len(_TASKS) : end + 1 + len(name)]
    return None


UMBRA_SAR = OpenDataset(
    slug="open_data.umbra.sar",
    name="Umbra SAR",
    summary="X-band radar images of single places, down to a resolution of 16 centimetres.",
    description=(
        "The images that Umbra gives away, taken again and again over chosen places, each as a picture on the map and "
        "as complex data. All are in the collection SAR. UmbraStorageClient downloads them."
    ),
    schema=Schema(
        DatasetKind.SPATIOTEMPORAL,
        (
            GEOMETRY,
            GRANULE_NAME,
            PROCESSING_LEVEL,
            SATELLITE,
            PRODUCT_TYPE,
            LOCATION,
            START_TIME,
            END_TIME,
            choice("acquisition_mode", "How the radar was steered.", "SPOTLIGHT"),
            choice("polarization", "Transmitted and received polarization.", "VV"),
            number("range_resolution", "Resolution along the line of sight, in metres.", "0.5"),
            number("azimuth_resolution", "Resolution along the flight, in metres.", "0.5"),
            number("grazing_angle", "Angle between the ground and the line of sight, in degrees.", "45"),
            number("squint_angle", "Angle by which the radar looked ahead or behind, in degrees.", "0"),
            text("task_id", "The order that the image was taken for."),
            CENTER,
            *ITEM_FIELDS,
        ),
    ),
    collections=("SAR",),
    listing_url="https://umbra-open-data-catalog.s3.us-west-2.amazonaws.com/stac/catalog.json",
    name_pattern=_NAME,
    describe=_describe,
    list_items=list_umbra,
)
