"""The dataset of Sentinel-3: ocean colour, temperatures and heights of Copernicus."""

import re

from tilebox_celery.datasets.open_data.copernicus import STAC_SEARCH, copernicus_facts, flight_direction, time_of_name
from tilebox_celery.datasets.open_data.dataset import Description, OpenDataset, Product
from tilebox_celery.datasets.open_data.fields import (
    CENTER,
    CLOUD_COVER,
    COPERNICUS_FIELDS,
    FLIGHT_DIRECTION,
    ITEM_FIELDS,
    ORBIT_NUMBER,
    RELATIVE_ORBIT,
    choice,
)
from tilebox_celery.datasets.open_data.listed_names import list_names
from tilebox_celery.datasets.schema import DatasetKind, Schema

_NAME = re.compile(
    r"S3(?P<unit>[A-D_])_(?P<type>(?P<instrument>OL|SL|SR|DO|MW|GN|SY|TM|AX)_(?P<level>[012_])_\w{6})_"
    r"(?P<start>\d{8}T\d{6})_(?P<end>\d{8}T\d{6})_\d{8}T\d{6}_(?P<instance>.{17})_\w{3}_._(?P<timeliness>NR|ST|NT|__)"
)
_INSTRUMENTS = {
    "OL": "OLCI",
    "SL": "SLSTR",
    "SR": "SRAL",
    "DO": "DORIS",
    "MW": "MWR",
    "GN": "GNSS",
    "SY": "SYNERGY",
    "TM": "TELEMETRY",
    "AX": "AUXILIARY",
}


def _describe(product: Product) -> Description:
    name = product.parts
    common = copernicus_facts(product, f"{product.name}.SEN3")
    product_type = name["type"].rstrip("_")
    orbit = name["instance"].split("_")[2]  # the instance of a frame or stripe: duration, cycle, relative orbit
    facts = {
        **common,
        "processing_level": None if name["level"] == "_" else f"L{name['level']}",
        "satellite": f"SENTINEL-3{name['unit'].strip('_')}",
        "product_type": name["type"],
        "start_time": common["start_time"] or time_of_name(name["start"]),
        "end_time": common["end_time"] or time_of_name(name["end"]),
        "instrument": _INSTRUMENTS[name["instrument"]],
        "timeliness": name["timeliness"].strip("_") or None,
        "flight_direction": flight_direction(product.item),
        "orbit_number": product.properties.get("sat:absolute_orbit"),
        "relative_orbit_number": product.properties.get("sat:relative_orbit", int(orbit) if orbit.isdigit() else None),
    }
    return Description(f"S3{name['unit']}_{product_type}", facts)


SENTINEL3 = OpenDataset(
    slug="open_data.copernicus.sentinel3",
    name="Sentinel-3",
    summary="Colour and temperature of ocean and land, and heights of the sea, each day, at 300 metres and above.",
    description=(
        "The products of the Sentinel-3 satellites of Copernicus, of all of their instruments: OLCI, SLSTR, SRAL and "
        "those joined from several. A collection holds the products of one satellite and kind, such as S3A_OL_1_EFR. "
        "CopernicusStorageClient downloads them."
    ),
    schema=Schema(
        DatasetKind.SPATIOTEMPORAL,
        (
            *COPERNICUS_FIELDS,
            choice("instrument", "The instrument whose data the product holds.", "OLCI"),
            choice("timeliness", "How soon it was made: NR within hours, ST within days, NT within a month.", "NT"),
            CLOUD_COVER,
            FLIGHT_DIRECTION,
            ORBIT_NUMBER,
            RELATIVE_ORBIT,
            CENTER,
            *ITEM_FIELDS,
        ),
    ),
    collections=tuple(
        f"S3{unit}_{kind}"
        for unit in "AB"
        for kind in ("OL_1_EFR", "OL_1_ERR", "OL_2_LFR", "OL_2_WFR", "SL_1_RBT", "SL_2_LST", "SL_2_WST", "SR_2_LAN")
    ),
    listing_url=STAC_SEARCH,
    name_pattern=_NAME,
    describe=_describe,
    list_items=list_names,
)
