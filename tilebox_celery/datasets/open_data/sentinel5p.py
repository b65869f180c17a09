"""The dataset of Sentinel-5P: gases of the atmosphere, of Copernicus."""

import re

from tilebox_celery.datasets.open_data.copernicus import STAC_SEARCH, copernicus_facts, time_of_name
from tilebox_celery.datasets.open_data.dataset import Description, OpenDataset, Product
from tilebox_celery.datasets.open_data.fields import (
    COPERNICUS_FIELDS,
    ITEM_FIELDS,
    ORBIT_NUMBER,
    choice,
    text,
)
from tilebox_celery.datasets.open_data.listed_names import list_names
from tilebox_celery.datasets.schema import DatasetKind, Schema

_NAME = re.compile(
    r"S5P_(?P<timeliness>NRTI|OFFL|RPRO|TEST|PAL_)_(?P<type>L(?P<level>[12])_\w{7})_"
    r"(?P<start>\d{8}T\d{6})_(?P<end>\d{8}T\d{6})_(?P<orbit>\d{5})_(?P<collection>\d\d)_(?P<processor>\d{6})"
)


def _describe(product: Product) -> Description:
    name = product.parts
    common = copernicus_facts(product, f"{product.name}.nc")
    processor = name["processor"]
    facts = {
        **common,
        "processing_level": f"L{name['level']}",
        "satellite": "SENTINEL-5P",
        "product_type": name["type"],
        "start_time": common["start_time"] or time_of_name(name["start"]),
        "end_time": common["end_time"] or time_of_name(name["end"]),
        "timeliness": name["timeliness"].strip("_"),
        "orbit_number": int(name["orbit"]),
        "processor_version": ".".join(str(int(processor[at : at + 2])) for at in (0, 2, 4)),
    }
    return Description(name["type"], facts)


SENTINEL5P_TROPOMI = OpenDataset(
    slug="open_data.copernicus.sentinel5p_tropomi",
    name="Sentinel-5P TROPOMI",
    summary="Daily maps of gases and aerosols of the whole atmosphere.",
    description=(
        "The products of the TROPOMI instrument on Sentinel-5P of Copernicus: radiances, and columns of ozone, "
        "nitrogen dioxide, sulphur dioxide, carbon monoxide, methane and formaldehyde, clouds and aerosols. A product "
        "is one NetCDF file. A collection holds one kind of product, such as L2__NO2___. CopernicusStorageClient "
        "downloads them."
    ),
    schema=Schema(
        DatasetKind.SPATIOTEMPORAL,
        (
            *COPERNICUS_FIELDS,
            choice("timeliness", "NRTI within three hours, OFFL within days, RPRO made again later.", "OFFL"),
            ORBIT_NUMBER,
            text("processor_version", "Version of the processor.", "2.6.0"),
            *ITEM_FIELDS,
        ),
    ),
    collections=tuple(
        f"L2__{gas:_<6}" for gas in ("AER_AI", "AER_LH", "CH4", "CLOUD", "CO", "HCHO", "NO2", "O3", "SO2")
    ),
    listing_url=STAC_SEARCH,
    name_pattern=_NAME,
    describe=_describe,
    list_items=list_names,
)
