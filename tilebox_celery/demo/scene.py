"""The scene: where the four quadrants lie on one grid, and how the grid is cut into strips and tiles."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio

Pixels = npt.NDArray[np.uint8]
"""Bands x rows x columns, or rows x columns."""

QUADRANTS = (1, 2, 3, 4)
BANDS = ("red", "green", "blue")
TILE = 80
"""Edge of a tile in pixels; those at the right and lower border are smaller."""
NODATA = 0
CRS = "EPSG:32618"
"""The quadrants spell the same projection out by its parameters."""


@dataclass(frozen=True)
class Grid:
    """The pixels of the whole scene."""

    height: int
    width: int
    transform: Any
    """Affine: from columns and rows to metres."""

    @property
    def strips(self) -> int:
        """How many rows of tiles there are."""
        return -(-self.height // TILE)

    @property
    def columns(self) -> int:
        """How many tiles a strip has."""
        return -(-self.width // TILE)

    @property
    def tiles(self) -> Iterator[tuple[int, int]]:
        """Strip and column of each tile, row by row."""
        return ((strip, column) for strip in range(self.strips) for column in range(self.columns))

    @property
    def pixel_km2(self) -> float:
        """Area of one pixel."""
        return abs(float(self.transform.a) * float(self.transform.e)) / 1e6

    def strip_rows(self, strip: int) -> slice:
        """Pixel rows of a strip in the scene."""
        return _part(strip, self.height)

    def tile_columns(self, column: int) -> slice:
        """Pixel columns of a tile in the scene."""
        return _part(column, self.width)


@dataclass(frozen=True)
class Place:
    """Where a quadrant lies on the grid."""

    row: int
    column: int
    height: int
    width: int


def quadrant_path(number: int) -> Path:
    """Return the file of a quadrant, which is part of the package."""
    return Path(__file__).parent / "data" / f"rgb{number}.tif"


def read_quadrant(number: int) -> Pixels:
    """Read the three bands of a quadrant."""
    with rasterio.open(quadrant_path(number)) as file:
        pixels: Pixels = file.read()
    return pixels


@lru_cache(maxsize=1)
def scene_grid() -> Grid:
    """Return the grid that all quadrants share, from their headers."""
    places = quadrant_places()
    return Grid(
        height=max(place.row + place.height for place in places.values()),
        width=max(place.column + place.width for place in places.values()),
        transform=_transform(),
    )


@lru_cache(maxsize=1)
def quadrant_places() -> dict[int, Place]:
    """Return where each quadrant lies, from its georeference: they overlap by one row or column."""
    origin = _transform()
    places = {}
    for number in QUADRANTS:
        with rasterio.open(quadrant_path(number)) as file:
            row = round((file.transform.f - origin.f) / origin.e)
            column = round((file.transform.c - origin.c) / origin.a)
            places[number] = Place(row, column, file.height, file.width)
    return places


def lay_over(below: Pixels, above: Pixels) -> Pixels:
    """Return the pixels of `below`, and where it has none those of `above`."""
    return np.where(below == NODATA, above, below)


def _transform() -> Any:
    with rasterio.open(quadrant_path(1)) as north_west:
        return north_west.transform


def _part(number: int, end: int) -> slice:
    return slice(number * TILE, min((number + 1) * TILE, end))
