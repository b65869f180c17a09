"""Draw the picture of the demo: the scene and its classes side by side, with scale, areas and legend."""

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tilebox_celery.demo.classes import ColourClass, Statistics
from tilebox_celery.demo.scene import CRS, Grid, Pixels

_PAGE, _TEXT, _FAINT = (24, 26, 31), (236, 238, 242), (160, 166, 178)
_MARGIN, _GAP, _TOP, _BOTTOM = 36, 28, 104, 148
_SCALE_KM = 50


def draw_picture(grid: Grid, mosaic: Pixels, classes: Pixels, statistics: Statistics) -> bytes:
    """Draw a PNG.

    Args:
        grid: Of the scene.
        mosaic: Red, green and blue.
        classes: The class of each pixel.
        statistics: For the areas in the legend.
    """
    width = 2 * (_MARGIN + grid.width) + _GAP
    page = Image.new("RGB", (width, _TOP + grid.height + _BOTTOM), _PAGE)
    draw = ImageDraw.Draw(page)
    left, right = _MARGIN, _MARGIN + grid.width + _GAP
    _write(draw, (left, 22), "A Landsat 7 scene over the Bahamas", 32, _TEXT)
    _write(draw, (left, 68), "mosaic of four quadrants", 20, _FAINT)
    _write(draw, (right, 68), "colour classes", 20, _FAINT)
    page.paste(Image.fromarray(scene_colours(mosaic)), (left, _TOP))
    page.paste(Image.fromarray(class_colours(classes)), (right, _TOP))
    bottom = _TOP + grid.height
    _draw_scale(draw, left, bottom + 30, grid)
    _draw_legend(draw, right, bottom + 26, grid, statistics)
    buffer = io.BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()


def scene_colours(mosaic: Pixels) -> Pixels:
    """Return rows x columns x RGB, with nodata in the colour of the page."""
    image = mosaic.transpose(1, 2, 0).copy()
    image[mosaic.max(axis=0) == 0] = _PAGE
    return image


def class_colours(classes: Pixels) -> Pixels:
    """Return rows x columns x RGB."""
    palette = np.array([each.colour for each in ColourClass], np.uint8)
    image: Pixels = palette[classes]
    return image


def _draw_scale(draw: ImageDraw.ImageDraw, left: int, top: int, grid: Grid) -> None:
    length = round(_SCALE_KM * 1000 / grid.transform.a)
    draw.line((left, top + 8, left + length, top + 8), _TEXT, 3)
    for end in (left, left + length):
        draw.line((end, top, end, top + 16), _TEXT, 3)
    _write(draw, (left + length + 16, top - 4), f"{_SCALE_KM} km", 20, _TEXT)
    facts = f"{grid.width} x {grid.height} pixels of {grid.transform.a:.0f} m, {CRS} (UTM zone 18N), north is up"
    _write(draw, (left, top + 40), facts, 18, _FAINT)


def _draw_legend(draw: ImageDraw.ImageDraw, left: int, top: int, grid: Grid, statistics: Statistics) -> None:
    shown = (ColourClass.BRIGHT, ColourClass.BLUE, ColourClass.OTHER, ColourClass.NODATA)
    meanings = {
        ColourClass.BRIGHT: "clouds, sand, surf",
        ColourClass.BLUE: "open and shallow water",
        ColourClass.OTHER: "land, shadow, dark or green water",
        ColourClass.NODATA: "no value in any band",
    }
    for index, each in enumerate(shown):
        y = top + index * 26
        draw.rectangle((left, y + 2, left + 28, y + 20), each.colour, _FAINT)
        _write(draw, (left + 42, y), each.label, 19, _TEXT)
        _write(draw, (left + 190, y), meanings[each], 19, _FAINT)
        if each is ColourClass.NODATA:
            continue
        area = f"{statistics.pixels[each] * grid.pixel_km2:,.0f} sq km"
        share = f"{statistics.pixels[each] / statistics.valid:.1%}"
        _write(draw, (left + 650, y), area, 19, _TEXT, anchor="ra")
        _write(draw, (left + 740, y), share, 19, _FAINT, anchor="ra")


def _write(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    size: int,
    colour: tuple[int, int, int],
    anchor: str = "la",
) -> None:
    draw.text(at, text, fill=colour, font=ImageFont.load_default(size), anchor=anchor)
