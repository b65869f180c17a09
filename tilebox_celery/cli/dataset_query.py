"""``tilebox-celery dataset query`` and ``export``: the datapoints of a time, an area and conditions."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tilebox_celery.cli import output
from tilebox_celery.cli.dataset import Slug, draws
from tilebox_celery.cli.dataset_code import corners, snippet
from tilebox_celery.cli.dataset_fields import conditions_code, read_conditions
from tilebox_celery.cli.dataset_rows import shown_rows
from tilebox_celery.cli.framework import command
from tilebox_celery.cli.opening import open_datasets
from tilebox_celery.errors import ArgumentError

if TYPE_CHECKING:
    import xarray as xr

    from tilebox_celery.datasets.sync.dataset import Dataset

_SHOWN = 20
Collections = Annotated[
    list[str] | None,
    typer.Option("--collection", "-c", metavar="NAME", help="One of its collections; several times for several."),
]
When = Annotated[
    str,
    typer.Option("--time", "-t", metavar="TIME", help="An interval START/END (UTC, END not included), or one instant."),
]
Where = Annotated[
    list[str] | None,
    typer.Option("--where", "-w", metavar="CONDITION", help="A condition, such as 'cloud_cover < 20'; all must hold."),
]
Area = Annotated[
    str | None,
    typer.Option(
        "--area", "-a", metavar="AREA", help="WEST,SOUTH,EAST,NORTH in degrees, WKT, or a GeoJSON file, to intersect."
    ),
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    command(app, "query", short_help="Show datapoints.")(query)
    command(app, "export", short_help="Write datapoints to a file.")(export)


def query(
    slug: Slug,
    time: When,
    collections: Collections = None,
    where: Where = None,
    area: Area = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            "-n",
            metavar="N",
            min=1,
            help=f"Datapoints at most: {_SHOWN} in the table, else all with --json.",
        ),
    ] = None,
    skip_data: Annotated[bool, typer.Option("--skip-data", help="Times and ids only.")] = False,
    as_code: Annotated[bool, typer.Option("--as-code", help="Print Python that selects the same.")] = False,
) -> None:
    """Show the datapoints of a time, an area and conditions; with --json one object a line."""
    if as_code:
        condition = conditions_code(where, open_datasets().dataset(slug).schema) if where else None
        text = snippet(slug, collections or [], time, condition, area, skip_data)
        if output.mode.json:
            output.show_document({"code": text})
        else:
            output.show_code(text)
        return
    dataset = open_datasets().dataset(slug)
    data = _select(dataset, time, collections, where, area, skip_data)
    from tilebox_celery.datasets.frames import plain_value, to_frame

    frame = to_frame(data)
    if output.mode.json:
        for row in frame.head(len(frame) if limit is None else limit).to_dict("records"):
            output.show_line({name: plain_value(value) for name, value in row.items()})
        return
    if frame.empty:
        hint = "" if "/" in time else f" {time} is one instant: an interval is START/END."
        output.say(f"No datapoint matches.{hint}")
        return
    limit = limit or _SHOWN
    columns, rows = shown_rows(frame.head(limit), dataset.schema, where or [], output.stdout().width)
    output.show(output.table([each.upper() for each in columns], rows, cut=columns[-1].upper()))
    if len(frame) > limit:
        output.say(f"{len(frame):,} datapoints in all: --limit shows more, 'dataset export' keeps them.")


def export(
    slug: Slug,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="It ends with .nc, .parquet, .csv or .geojson.")],
    time: When,
    collections: Collections = None,
    where: Where = None,
    area: Area = None,
) -> None:
    """Write the datapoints of a time, an area and conditions to a file, which is there whole or not at all."""
    from tilebox_celery.datasets.export import check_ending, write

    check_ending(file)
    dataset = open_datasets().dataset(slug)
    data = _select(dataset, time, collections, where, area, skip_data=False)
    write(data, dataset.schema, file)
    count = data.sizes.get("time", 0)
    if output.mode.json:
        output.show_document({"file": str(file), "datapoints": count, "bytes": file.stat().st_size})
    else:
        output.say(f"{output.counted(count, 'datapoint')} in {file}.")


def _select(
    dataset: "Dataset",
    time: str,
    collections: Sequence[str] | None,
    where: Sequence[str] | None,
    area: str | None,
    skip_data: bool,
) -> "xr.Dataset":
    return dataset.query(
        temporal_extent=read_time(time),
        collections=collections or None,
        spatial_extent=None if area is None else read_area(area),
        filter=read_conditions(where or [], dataset.schema),
        skip_data=skip_data,
        show_progress=draws(),
    )


def read_time(text: str) -> Any:
    """Return the time argument that a text means: START/END is an interval whose end is not included.

    Example:
        >>> read_time("2024-08-01/2024-09-01")
        ('2024-08-01', '2024-09-01')
    """
    first, slash, last = text.partition("/")
    if slash and not (first and last):
        raise ArgumentError(f"--time takes START/END or one instant, not {text!r}.")
    return (first, last) if slash else text


def read_area(text: str) -> Any:
    """Return the geometry that a text means.

    Raises:
        ArgumentError: It is no bounding box, no WKT and no GeoJSON file.
    """
    import shapely

    box = corners(text)
    try:
        if box is not None:
            if not all(map(math.isfinite, box)):  # of which shapely makes None, and that is no area at all
                raise ValueError(box)
            return shapely.box(*box)
        if Path(text).is_file():
            return shapely.union_all(shapely.from_geojson(_geometries(Path(text))))
        return shapely.from_wkt(text)
    except (ValueError, OSError, shapely.errors.ShapelyError) as error:
        raise ArgumentError(
            f"--area {output.clean(text, 1)[:80]!r} is no WEST,SOUTH,EAST,NORTH, no WKT and no GeoJSON file."
        ) from error


def _geometries(path: Path) -> list[str]:
    import json

    document = json.loads(path.read_bytes())
    features = document.get("features", [document])
    return [json.dumps(each.get("geometry", each) if each.get("type") == "Feature" else each) for each in features]
