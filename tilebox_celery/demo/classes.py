"""Colour classes: what each pixel of a scene looks like, and how much of it there is."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np

from tilebox_celery.demo.scene import BANDS, Pixels

BRIGHT_FROM = 100
"""A pixel is bright if no band is darker: clouds, sand and surf."""


class ColourClass(IntEnum):
    """The value of a pixel in a map of classes."""

    NODATA = 0
    BRIGHT = 1
    BLUE = 2
    OTHER = 3

    @property
    def label(self) -> str:
        """What legends and tables say."""
        return {0: "nodata", 1: "bright", 2: "blue-dominant", 3: "other"}[self]

    @property
    def colour(self) -> tuple[int, int, int]:
        """Red, green and blue in maps and legends."""
        return {0: (24, 26, 31), 1: (244, 239, 222), 2: (38, 126, 196), 3: (134, 132, 108)}[self]


@dataclass(frozen=True)
class Statistics:
    """Pixels by class, and sums by band: whole numbers, so that the order of adding them does not matter."""

    pixels: tuple[int, ...] = (0,) * len(ColourClass)
    """By value of the class."""
    band_sums: tuple[int, ...] = (0,) * len(BANDS)
    """Of all pixels that are not nodata; nodata adds nothing."""

    @property
    def total(self) -> int:
        """All pixels."""
        return sum(self.pixels)

    @property
    def valid(self) -> int:
        """All pixels but nodata."""
        return self.total - self.pixels[ColourClass.NODATA]

    @property
    def band_means(self) -> tuple[float, ...]:
        """Mean of each band over the valid pixels."""
        return tuple(each / self.valid if self.valid else 0.0 for each in self.band_sums)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Statistics":
        """Read what `dataclasses.asdict` and JSON made of statistics."""
        return cls(tuple(data["pixels"]), tuple(data["band_sums"]))


def classify(pixels: Pixels) -> Pixels:
    """Return the class of each pixel.

    Args:
        pixels: Red, green and blue.
    """
    red, green, blue = pixels
    classes = np.full(red.shape, ColourClass.OTHER, np.uint8)
    classes[(blue > red) & (blue > green)] = ColourClass.BLUE
    classes[pixels.min(axis=0) >= BRIGHT_FROM] = ColourClass.BRIGHT
    classes[pixels.max(axis=0) == 0] = ColourClass.NODATA
    return classes


def count(pixels: Pixels, classes: Pixels) -> Statistics:
    """Count the classes and add up the bands of some pixels."""
    counts = np.bincount(classes.ravel(), minlength=len(ColourClass))
    return Statistics(
        tuple(int(each) for each in counts),
        tuple(int(band.sum(dtype=np.int64)) for band in pixels),
    )


def add(parts: Iterable[Statistics]) -> Statistics:
    """Add up the statistics of parts that do not overlap."""
    whole = Statistics()
    for part in parts:
        whole = Statistics(
            tuple(map(sum, zip(whole.pixels, part.pixels, strict=True))),
            tuple(map(sum, zip(whole.band_sums, part.band_sums, strict=True))),
        )
    return whole
