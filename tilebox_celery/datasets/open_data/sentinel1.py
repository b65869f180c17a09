"""The dataset of Sentinel-1: C-band radar of Copernicus."""

import re

from tilebox_celery.datasets.open_data.copernicus import STAC_SEARCH, copernicus_facts, flight_direction, time_of_name
from tilebox_celery.datasets.open_data.dataset import Description, OpenDataset, Product
from tilebox_celery.datasets.open_data.fields import (
    CENTER,
    COPERNICUS_FIELDS,
    FLIGHT_DIRECTION,
    ITEM_FIELDS,
    ORBIT_NUMBER,
    RELATIVE_ORBIT,
    choice,
    integer,
    text,
)
from tilebox_celery.datasets.open_data.listed_names import list_names
from tilebox_celery.datasets.schema import DatasetKind, Schema

_NAME = re.compile(
    r"S1(?P<unit>[A-D])_(?P<mode>S[1-6]|IW|EW|WV|EN|N[1-6]|RF|IM)_(?P<type>RAW|SLC|GRD|OCN|ETA)(?P<resolution>[FHM_])_"
    r"(?P<level>[012A])(?P<class>[SANC_])(?P<polarization>SH|SV|DH|DV|HH|HV|VV|VH)_"
    r"(?P<start>\d{8}T\d{6})_(?P<end>\d{8}T\d{6})_(?P<orbit>\d{6})_(?P<datatake>[0-9A-F]{6})"
)
_POLARIZATIONS = {"SH": "HH", "SV": "VV", "DH": "HH+HV", "DV": "VV+VH"}
_TYPES = (
    "IW_RAW__0S",
    "IW_SLC__1S",
    "IW_GRDH_1S",
    "IW_OCN__2S",
    "EW_RAW__0S",
    "EW_SLC__1S",
    "EW_GRDM_1S",
    "WV_OCN__2S",
)


def _describe(product: Product) -> Description:
    name = product.parts
    product_type = f"{name['mode']}_{name['type']}{name['resolution']}_{name['level']}S"
    common = copernicus_facts(product, f"{product.name}.SAFE")
    facts = {
        **common,
        "processing_level": f"L{name['level']}",
        "satellite": f"SENTINEL-1{name['unit']}",
        "product_type": product_type,
        "start_time": common["start_time"] or time_of_name(name["start"]),
        "end_time": common["end_time"] or time_of_name(name["end"]),
        "acquisition_mode": name["mode"],
        "polarization": _POLARIZATIONS.get(name["polarization"], name["polarization"]),
        "flight_direction": flight_direction(product.item),
        "orbit_number": int(name["orbit"]),
        "relative_orbit_number": product.properties.get("sat:relative_orbit"),
        "mission_datatake_id": int(name["datatake"], 16),
        "timeliness": product.properties.get("s1:product_timeliness"),
    }
    return Description(f"S1{name['unit']}_{product_type}", facts)


SENTINEL1_SAR = OpenDataset(
    slug="open_data.copernicus.sentinel1_sar",
    name="Sentinel-1 SAR",
    summary="C-band radar images of land and sea, by day and night and through clouds.",
    description=(
        "The products of the Sentinel-1 satellites of Copernicus: raw data, single look complex and ground range "
        "detected images, and ocean products. A collection holds the products of one satellite, mode and kind, such as "
        "S1A_IW_GRDH_1S. CopernicusStorageClient downloads them."
    ),
    schema=Schema(
        DatasetKind.SPATIOTEMPORAL,
        (
            *COPERNICUS_FIELDS,
            choice("acquisition_mode", "How the radar was steered: SM, IW, EW or WV, with the swath of SM.", "IW"),
            choice("polarization", "Transmitted and received polarizations.", "VV+VH"),
            FLIGHT_DIRECTION,
            ORBIT_NUMBER,
            RELATIVE_ORBIT,
            integer("mission_datatake_id", "Number of the acquisition, shared by all of its slices.", "425458"),
            integer("slice_number", "Which slice of the acquisition the product is, from 1.", "30"),
            integer("total_slices", "Slices of the acquisition.", "30"),
            text("timeliness", "How soon after sensing the product was made.", "NRT-3h"),
            CENTER,
            *ITEM_FIELDS,
        ),
    ),
    collections=tuple(f"S1{unit}_{product_type}" for unit in "ABC" for product_type in _TYPES),
    listing_url=f"{STAC_SEARCH}?collections=sentinel-1-grd,sentinel-1-slc",
    name_pattern=_NAME,
    describe=_describe,
    list_items=list_names,
)
