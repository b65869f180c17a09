"""Products as Umbra and Copernicus store them, as many as a test wants."""

import json
from typing import Any

UMBRA, UMBRA_BUCKET = "open_data.umbra.sar", "umbra-open-data-catalog"
SENTINEL2, SENTINEL5P = "open_data.copernicus.sentinel2_msi", "open_data.copernicus.sentinel5p_tropomi"
TASK = "sar-data/tasks/ad hoc/Yi_Sun_sin_Bridge_SK"
DAY = "Sentinel-2/MSI/L2A/2024/08/01"
S5P = "S5P_OFFL_L2__NO2____20240801T002611_20240801T020741_35228_03_020600_20240802T171513.nc"
ALL = ("2000-01-01", "2100-01-01")
PRODUCTS, FILES = 220, ("GEC.tif", "SICD.nitf", "SIDD.nitf", "CSI.tif")
METADATA: dict[str, Any] = {
    "version": "1.0.0",
    "vendor": "Umbra Space",
    "imagingMode": "SPOTLIGHT",
    "umbraSatelliteName": "UMBRA_07",
    "collects": [
        {
            "id": "5ba5b849-2f14-4936-a0e9-4482afe45284",
            "taskId": "2e00bde3-c6d1-4230-aca0-11cd51c9c998",
            "startAtUTC": "2024-01-05T01:53:37.250000+00:00",
            "endAtUTC": "2024-01-05T01:53:40+00:00",
            "polarizations": ["VV"],
            "angleGrazingDegrees": 42.5,
            "angleSquintDegrees": -3.25,
            "maxGroundResolution": {"azimuthMeters": 0.5, "rangeMeters": 0.66},
            "footprintPolygonLla": {
                "type": "Polygon",
                "coordinates": [[[127.6, 34.8, 9.0], [127.7, 34.8, 9.0], [127.7, 34.9, 9.0], [127.6, 34.8, 9.0]]],
            },
        }
    ],
}


def umbra_name(number: int) -> str:
    """Return the name of one of many products, each of another second."""
    return f"2024-01-05-01-{number // 60:02}-{number % 60:02}_UMBRA-07"


def umbra_metadata(number: int) -> dict[str, Any]:
    """Return the metadata of such a product."""
    start = f"2024-01-05T01:{number // 60:02}:{number % 60:02}.250000+00:00"
    return {**METADATA, "collects": [{**METADATA["collects"][0], "startAtUTC": start}]}


def umbra_files(number: int) -> dict[str, bytes]:
    """Return the files of such a product by their paths."""
    name = umbra_name(number)
    folder = f"{TASK}/6cf02931-ca2e-4744-b389-4844ddc7{number:04}/{name}"
    files = {f"{folder}/{name}_{each}": b"II*" for each in FILES}
    return files | {f"{folder}/{name}_METADATA.json": json.dumps(umbra_metadata(number)).encode()}


def sentinel2_name(number: int) -> str:
    """Return the name of one of many products, each of another tile."""
    square = chr(65 + number // 26 % 26) + chr(65 + number % 26)
    return f"S2A_MSIL2A_20240801T002611_N0511_R102_T{10 + number // 676:02}W{square}_20240819T170544.SAFE"
