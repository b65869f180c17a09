"""The files that the workflow makes: two GeoTIFFs, a picture and a report, the same bytes from the same pixels."""

import json
from hashlib import sha256
from typing import Any

from rasterio.io import MemoryFile

from tilebox_celery.demo.classes import ColourClass, Statistics
from tilebox_celery.demo.scene import BANDS, CRS, NODATA, TILE, Grid, Pixels

MOSAIC, CLASSES, PICTURE, REPORT = "mosaic.tif", "classes.tif", "scene.png", "report.json"
FILES = (MOSAIC, CLASSES, PICTURE, REPORT)


def mosaic_geotiff(grid: Grid, mosaic: Pixels) -> bytes:
    """Write the bands of the scene as a GeoTIFF."""
    return _geotiff(grid, mosaic, BANDS, photometric="RGB")


def classes_geotiff(grid: Grid, classes: Pixels) -> bytes:
    """Write the classes as a GeoTIFF with one band and its colours."""
    colours = {each.value: (*each.colour, 0 if each is ColourClass.NODATA else 255) for each in ColourClass}
    return _geotiff(grid, classes[None], ("colour class",), colours)


def report(grid: Grid, mosaic: Pixels, classes: Pixels, whole: Statistics, tiles: dict[str, Statistics]) -> bytes:
    """Write numbers and digests as JSON.

    Args:
        grid: Of the scene.
        mosaic: All pixels.
        classes: Their classes.
        whole: Statistics of the scene.
        tiles: Those of each tile, by the name of the tile.
    """
    document = {
        "scene": {"width": grid.width, "height": grid.height, "crs": CRS, "pixel_km2": grid.pixel_km2, "tile": TILE},
        "sha256": {"mosaic": sha256(mosaic.tobytes()).hexdigest(), "classes": sha256(classes.tobytes()).hexdigest()},
        **_numbers(grid, whole),
        "tiles": {name: _numbers(grid, tiles[name]) for name in sorted(tiles)},
    }
    return json.dumps(document, indent=2).encode()


def _numbers(grid: Grid, statistics: Statistics) -> dict[str, Any]:
    return {
        "classes": {
            each.label: {
                "pixels": statistics.pixels[each],
                "km2": round(statistics.pixels[each] * grid.pixel_km2, 3),
            }
            for each in ColourClass
        },
        "band_means": {band: round(mean, 4) for band, mean in zip(BANDS, statistics.band_means, strict=True)},
    }


def _geotiff(
    grid: Grid,
    bands: Pixels,
    names: tuple[str, ...],
    colours: dict[int, tuple[int, int, int, int]] | None = None,
    **options: Any,
) -> bytes:
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff",
            width=grid.width,
            height=grid.height,
            count=len(bands),
            dtype="uint8",
            nodata=NODATA,
            crs=CRS,
            transform=grid.transform,
            compress="deflate",
            **options,
        ) as file:
            file.write(bands)
            for number, name in enumerate(names, 1):
                file.set_band_description(number, name)
            if colours is not None:
                file.write_colormap(1, colours)
        return bytes(memory.read())
