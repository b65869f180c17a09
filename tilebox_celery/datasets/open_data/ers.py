"""The dataset of ERS-1 and ERS-2: C-band radar of ESA, as the Alaska Satellite Facility lists it."""

import re
from typing import Any

from tilebox_celery.datasets.open_data.dataset import Description, OpenDataset, Product
from tilebox_celery.datasets.open_data.fields import (
    CENTER,
    END_TIME,
    FILE_SIZE,
    FLIGHT_DIRECTION,
    GEOMETRY,
    GRANULE_NAME,
    ITEM_FIELDS,
    LOCATION,
    ORBIT_NUMBER,
    PROCESSING_LEVEL,
    PRODUCT_TYPE,
    SATELLITE,
    START_TIME,
    THUMBNAIL,
    choice,
    integer,
    moment,
    number,
    text,
    truth,
)
from tilebox_celery.datasets.open_data.listing import not_listed
from tilebox_celery.datasets.schema import DatasetKind, Schema
from tilebox_celery.datasets.stac.products import Item

_NAME = re.compile(r"E(?P<unit>[12])_(?P<orbit>\d{4,6})_(?P<mode>[A-Z]{3})_(?:L\d_)?F(?P<frame>\d{3,4})")


def _prepare(feature: Item) -> Item:
    """Make a STAC item of a feature of ASF's search, whose properties have names of their own."""
    found = feature.get("properties")
    if not isinstance(found, dict) or "sceneName" not in found:
        return feature
    browse = found.get("browse") or []
    browse = [browse] if isinstance(browse, str) else browse
    assets: dict[str, Any] = {"product": {"href": found.get("url"), "file:size": found.get("bytes"), "roles": ["data"]}}
    if browse:
        assets["browse"] = {"href": browse[0], "roles": ["thumbnail"]}
    properties = {**found, "datetime": found.get("startTime")}
    return {**feature, "id": found["sceneName"], "assets": assets, "properties": properties}


def _describe(product: Product) -> Description:
    found, name = product.properties, product.parts
    level = found.get("processingLevel")
    browse = (product.item.get("assets") or {}).get("browse")
    latitude, longitude = found.get("centerLat"), found.get("centerLon")
    facts = {
        "granule_name": product.name,
        "processing_level": level or "L0",
        "satellite": f"ERS-{name['unit']}",
        "product_type": found.get("granuleType") or level,
        "location": found.get("url"),
        "file_size": found.get("bytes"),
        "md5sum": found.get("md5sum"),
        "quicklook_available": browse is not None,
        "start_time": found.get("startTime") or found.get("start_datetime"),
        "end_time": found.get("stopTime") or found.get("end_datetime"),
        "processing_date": found.get("processingDate"),
        "flight_direction": (found.get("flightDirection") or "").upper() or None,
        "orbit_number": found.get("orbit") or int(name["orbit"]),
        "path_number": found.get("pathNumber"),
        "frame_number": found.get("frameNumber") or int(name["frame"]),
        "beam_mode": found.get("beamModeType") or name["mode"],
        "polarization": found.get("polarization"),
        "sensor": found.get("sensor"),
        "faraday_rotation": found.get("faradayRotation"),
        "center": None if latitude is None or longitude is None else [latitude, longitude],
    }
    return Description(f"ERS-{name['unit']}", facts)


ERS_SAR = OpenDataset(
    slug="open_data.asf.ers_sar",
    name="ERS SAR",
    summary="C-band radar of land, sea and ice from 1991 to 2011.",
    description=(
        "The raw radar data of the European satellites ERS-1 and ERS-2 in the archive of the Alaska Satellite "
        "Facility, which covers what its antennas could receive. A collection holds the products of one satellite. "
        "ASFStorageClient downloads them."
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
            FILE_SIZE,
            text("md5sum", "MD5 of the product's file, in hexadecimal digits."),
            truth("quicklook_available", "Whether a small picture can be downloaded.", "true"),
            THUMBNAIL,
            START_TIME,
            END_TIME,
            moment("processing_date", "When the product was made."),
            FLIGHT_DIRECTION,
            ORBIT_NUMBER,
            integer("path_number", "The track on the ground.", "44"),
            integer("frame_number", "The place on the track.", "183"),
            choice("beam_mode", "How the radar was steered.", "STD"),
            choice("polarization", "Transmitted and received polarization.", "VV"),
            text("sensor", "The instrument.", "C-SAR"),
            number("faraday_rotation", "Rotation of the polarization by the ionosphere, in degrees.", "0.5"),
            CENTER,
            *ITEM_FIELDS,
        ),
    ),
    collections=("ERS-1", "ERS-2"),
    listing_url="https://api.daac.asf.alaska.edu/services/search/param?platform=ERS-1,ERS-2&output=geojson",
    name_pattern=_NAME,
    describe=_describe,
    list_items=not_listed(
        "ASF has no folders to list, and the names of its products no time: ingest the URL of its search, which ends "
        "with output=geojson, or a file with the answer."
    ),
    prepare=_prepare,
)
