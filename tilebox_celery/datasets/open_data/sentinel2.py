"""The dataset of Sentinel-2: optical images of Copernicus."""

import re

from tilebox_celery.datasets.open_data.copernicus import STAC_SEARCH, copernicus_facts, flight_direction
from tilebox_celery.datasets.open_data.dataset import Description, OpenDataset, Product
from tilebox_celery.datasets.open_data.fields import (
    CENTER,
    CLOUD_COVER,
    COPERNICUS_FIELDS,
    FLIGHT_DIRECTION,
    ITEM_FIELDS,
    ORBIT_NUMBER,
    RELATIVE_ORBIT,
    number,
    text,
)
from tilebox_celery.datasets.open_data.listed_names import list_names
from tilebox_celery.datasets.schema import DatasetKind, Schema

_NAME = re.compile(
    r"S2(?P<unit>[A-D])_MSI(?P<level>L1C|L2A)_(?P<start>\d{8}T\d{6})_(?:N(?P<baseline>\d{4})_)?R(?P<orbit>\d{3})_"
    r"T(?P<tile>\d\d[A-Z]{3})_\d{8}T\d{6}"
)


def _describe(product: Product) -> Description:
    name = product.parts
    properties = product.properties
    product_type = f"S2MSI{name['level'][1:]}"
    zenith = properties.get("s2:mean_solar_zenith")
    baseline = name["baseline"]
    facts = {
        **copernicus_facts(product, f"{product.name}.SAFE"),
        "processing_level": name["level"],
        "satellite": f"SENTINEL-2{name['unit']}",
        "product_type": product_type,
        "tile_id": name["tile"],
        "flight_direction": flight_direction(product.item),
        "orbit_number": properties.get("sat:absolute_orbit"),
        "relative_orbit_number": int(name["orbit"]),
        "processing_baseline": f"{baseline[:2]}.{baseline[2:]}" if baseline else None,
        "mission_datatake_id": properties.get("s2:datatake_id"),
        "sun_elevation": properties.get("view:sun_elevation", None if zenith is None else 90 - zenith),
        "sun_azimuth": properties.get("view:sun_azimuth", properties.get("s2:mean_solar_azimuth")),
    }
    return Description(f"S2{name['unit']}_{product_type}", facts)


SENTINEL2_MSI = OpenDataset(
    slug="open_data.copernicus.sentinel2_msi",
    name="Sentinel-2 MSI",
    summary="Optical images of land in 13 bands from the visible to the short-wave infrared, at 10 to 60 metres.",
    description=(
        "The products of the Sentinel-2 satellites of Copernicus, cut into tiles of 110 kilometres: reflectance at the "
        "top of the atmosphere (L1C) and at the surface (L2A). A collection holds the products of one satellite and "
        "level, such as S2A_S2MSI2A. CopernicusStorageClient downloads them."
    ),
    schema=Schema(
        DatasetKind.SPATIOTEMPORAL,
        (
            *COPERNICUS_FIELDS,
            CLOUD_COVER,
            text("tile_id", "The tile of the military grid.", "35MNM"),
            FLIGHT_DIRECTION,
            ORBIT_NUMBER,
            RELATIVE_ORBIT,
            text("processing_baseline", "Version of the processing.", "05.11"),
            text("mission_datatake_id", "The acquisition that the tile was cut from."),
            number("sun_elevation", "Mean angle of the sun above the horizon, in degrees.", "53.6"),
            number("sun_azimuth", "Mean direction to the sun, in degrees from north by east.", "44.5"),
            CENTER,
            *ITEM_FIELDS,
        ),
    ),
    collections=tuple(f"S2{unit}_S2MSI{level}" for unit in "ABC" for level in ("1C", "2A")),
    listing_url=f"{STAC_SEARCH}?collections=sentinel-2-l1c,sentinel-2-l2a",
    name_pattern=_NAME,
    describe=_describe,
    list_items=list_names,
)
