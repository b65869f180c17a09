"""The scene in a terminal: strips appear as they are put together, and turn into classes tile by tile."""

import numpy as np
from PIL import Image
from rich.color import Color
from rich.style import Style
from rich.text import Text

from tilebox_celery.caches import JobCache
from tilebox_celery.demo.picture import class_colours, scene_colours
from tilebox_celery.demo.scene import Pixels, scene_grid
from tilebox_celery.demo.workflow import load, tile_name

_NOTHING_YET = (38, 41, 48)


class Preview:
    """What of the scene is in the job cache so far.

    Args:
        cache: Of the job.
    """

    def __init__(self, cache: JobCache) -> None:
        self._cache = cache
        self._grid = scene_grid()
        self._image: Pixels = np.full((self._grid.height, self._grid.width, 3), _NOTHING_YET, np.uint8)
        self._strips = set(range(self._grid.strips))
        self._tiles = set(self._grid.tiles)

    def update(self) -> Pixels:
        """Add what has come since the last time, and return rows x columns x RGB."""
        for strip in [each for each in self._strips if f"mosaic/{each}" in self._cache]:
            self._image[self._grid.strip_rows(strip)] = scene_colours(load(self._cache, f"mosaic/{strip}"))
            self._strips.discard(strip)
        done = set(self._cache.group("statistics"))
        for strip, column in [each for each in self._tiles if tile_name(*each) in done]:
            classes = load(self._cache, f"classes/{tile_name(strip, column)}")
            self._image[self._grid.strip_rows(strip), self._grid.tile_columns(column)] = class_colours(classes)
            self._tiles.discard((strip, column))
        return self._image


def half_blocks(image: Pixels, columns: int) -> Text:
    """Draw an image with two pixels a character cell: the upper half in the front colour, the lower behind it.

    Args:
        image: Rows x columns x RGB.
        columns: Character cells a line.
    """
    lines = picture_lines(image, columns)
    small = Image.fromarray(image).resize((columns, 2 * lines), Image.Resampling.BOX)
    pixels = np.asarray(small)
    text = Text(no_wrap=True)
    for upper, lower in zip(pixels[::2], pixels[1::2], strict=True):
        if text:
            text.append("\n")
        for front, back in zip(upper, lower, strict=True):
            text.append("▀", Style(color=Color.from_rgb(*front), bgcolor=Color.from_rgb(*back)))
    return text


def picture_lines(image: Pixels, columns: int) -> int:
    """Return how many lines of text an image takes."""
    height, width, _ = image.shape
    return max(1, columns * int(height) // (2 * int(width)))
