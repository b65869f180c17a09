"""Draw ``docs/images/geometries.png``, the picture of ``docs/howto/geometries.md``, from the items of that page."""

import json
from pathlib import Path
from typing import Any

import antimeridian
import matplotlib as mpl
import shapely
from matplotlib.figure import Figure
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "tests" / "data"
PICTURE = ROOT / "docs" / "images" / "geometries.png"


def main() -> None:
    """Draw both halves and write the picture with few colours."""
    mpl.rcParams["font.size"] = 8
    figure = Figure(figsize=(7.6, 3.4), dpi=100, layout="constrained")
    grid = figure.add_gridspec(2, 3, width_ratios=[1.1, 1, 1])
    footprints = [shapely.geometry.shape(each["geometry"]) for each in read("stac/landsat-c2-l2.json")]
    draw_strip(figure.add_subplot(grid[:, 0]), footprints)
    northernmost = max(footprints, key=lambda each: each.centroid.y)
    wrapped = shapely.Polygon([((x + 30 + 180) % 360 - 180, y) for x, y in northernmost.exterior.coords])
    draw_wrapped(figure.add_subplot(grid[0, 1:]), wrapped)
    draw_cut(figure.add_subplot(grid[1, 1]), figure.add_subplot(grid[1, 2]), wrapped)
    figure.savefig(PICTURE)
    Image.open(PICTURE).convert("P", palette=Image.Palette.ADAPTIVE, colors=32).save(PICTURE, optimize=True)


def read(name: str) -> list[dict[str, Any]]:
    """Return the features of a file."""
    features: list[dict[str, Any]] = json.loads((DATA / name).read_text(encoding="utf-8"))["features"]
    return features


def draw_strip(axes: Any, footprints: list[Any]) -> None:
    """Draw footprints, their overlaps and the outline of their union."""
    for country in read("vector/countries.geojson"):
        if country["properties"]["NAME_LONG"] == "Australia":
            fill(axes, shapely.geometry.shape(country["geometry"]), facecolor="wheat", edgecolor="gray")
    for footprint in footprints:
        fill(axes, footprint, facecolor="tab:blue", alpha=0.35)
        axes.plot(*footprint.centroid.xy, ".k")
    fill(axes, shapely.unary_union(footprints), facecolor="none", edgecolor="tab:red", linewidth=1.5)
    axes.set(title="Footprints, centroids, union", xlim=(143, 153), ylim=(-45, -37), aspect=1.3)


def draw_wrapped(axes: Any, wrapped: Any) -> None:
    """Draw a footprint across 180 degrees as plain shapely takes it."""
    fill(axes, wrapped, facecolor="tab:orange")
    axes.set(title="Wrapped, to plain shapely: around the Earth the wrong way", xlim=(-180, 180), ylim=(-41, -37))
    axes.set(xticks=range(-180, 181, 60))


def draw_cut(west: Any, east: Any, wrapped: Any) -> None:
    """Draw both sides of the antimeridian with the same footprint, as it is meant."""
    cut = antimeridian.fix_polygon(wrapped, great_circle=False)
    for axes, title, ends in (
        (west, "Cut, or in a spherical query: west", (178, 180)),
        (east, "... and east of 180°", (-180, -178)),
    ):
        fill(axes, cut, facecolor="tab:blue", alpha=0.6)
        axes.set(title=title, xlim=ends, ylim=(-41, -37), xticks=sorted({*ends, sum(ends) / 2}))
    east.set_yticklabels([])


def fill(axes: Any, geometry: Any, **style: Any) -> None:
    """Draw the parts of a geometry."""
    for part in shapely.get_parts(geometry):
        axes.fill(*part.exterior.xy, **style)


if __name__ == "__main__":
    main()
