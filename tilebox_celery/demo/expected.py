"""The same files without tiles, cache, ledger or workers: what every run must equal, whatever was killed on its way."""

import numpy as np

from tilebox_celery.demo import classes as colours
from tilebox_celery.demo.picture import draw_picture
from tilebox_celery.demo.results import (
    CLASSES,
    MOSAIC,
    PICTURE,
    REPORT,
    classes_geotiff,
    mosaic_geotiff,
    report,
)
from tilebox_celery.demo.scene import Pixels, lay_over, quadrant_places, read_quadrant, scene_grid
from tilebox_celery.demo.workflow import tile_name


def expected_files() -> dict[str, bytes]:
    """Return all files by name, computed on the whole scene at once."""
    grid, mosaic = scene_grid(), whole_mosaic()
    classes = colours.classify(mosaic)
    whole = colours.count(mosaic, classes)
    tiles = {}
    for strip, column in grid.tiles:
        rows, columns = grid.strip_rows(strip), grid.tile_columns(column)
        tiles[tile_name(strip, column)] = colours.count(mosaic[:, rows, columns], classes[rows, columns])
    return {
        MOSAIC: mosaic_geotiff(grid, mosaic),
        CLASSES: classes_geotiff(grid, classes),
        PICTURE: draw_picture(grid, mosaic, classes, whole),
        REPORT: report(grid, mosaic, classes, whole, tiles),
    }


def whole_mosaic() -> Pixels:
    """Put the quadrants together in one go."""
    grid = scene_grid()
    mosaic = np.zeros((3, grid.height, grid.width), np.uint8)
    for number, place in quadrant_places().items():
        window = mosaic[:, place.row : place.row + place.height, place.column : place.column + place.width]
        window[:] = lay_over(window, read_quadrant(number))
    return mosaic
