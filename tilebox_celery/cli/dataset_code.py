"""The Python of the documents that selects the same datapoints as a command."""

import json
from collections.abc import Sequence
from pathlib import Path

from tilebox_celery.observability.text import escape


def snippet(
    slug: str,
    collections: Sequence[str],
    time: str,
    condition: str | None = None,
    area: str | None = None,
    skip_data: bool = False,
) -> str:
    """Return a script that loads what ``dataset query`` with these options shows.

    Args:
        slug: Of the dataset.
        collections: Names; none means all of them.
        time: START/END, or one instant.
        condition: The Python of a filter.
        area: WEST,SOUTH,EAST,NORTH, WKT, or the path of a GeoJSON file of one geometry.
        skip_data: Times and ids only.

    Example:
        >>> print(snippet("open_data.umbra.sar", ["SAR"], "2024-01-01/2024-02-01"))
        from tilebox_celery.datasets import Client
        <BLANKLINE>
        client = Client()
        dataset = client.dataset("open_data.umbra.sar")
        collection = dataset.collection("SAR")
        data = collection.load(("2024-01-01", "2024-02-01"))
    """
    names = ["Client"] if condition is None else ["Client", "field"]
    imports = [f"from tilebox_celery.datasets import {', '.join(names)}"]
    extent = _extent(time)
    lines = ["client = Client()", f"dataset = client.dataset({_quoted(slug)})"]
    source = "dataset"
    if len(collections) == 1:
        lines.append(f"collection = dataset.collection({_quoted(collections[0])})")
        source = "collection"
    flag = ", skip_data=True" if skip_data else ""
    if condition is None and area is None and source == "collection":
        lines.append(f"data = collection.load({extent}{flag})")
        return "\n".join([*imports, "", *lines])
    arguments = [f"temporal_extent={extent}"]
    if len(collections) > 1:
        arguments.append(f"collections=[{', '.join(map(_quoted, collections))}]")
    if area is not None:
        imports = ["from pathlib import Path", "", "import shapely", "", *imports] if _is_file(area) else [
            "import shapely", "", *imports
        ]  # fmt: skip
        lines.append(f"area = {_area(area)}")
        arguments.append("spatial_extent=area")
    if condition is not None:
        arguments.append(f"filter={condition}")
    lines.append(f"data = {source}.query({', '.join(arguments)}{flag})")
    return "\n".join([*imports, "", *lines])


def _extent(time: str) -> str:
    first, slash, last = time.partition("/")
    return f"({_quoted(first)}, {_quoted(last)})" if slash else _quoted(time)


def corners(text: str) -> list[float] | None:
    """Return west, south, east and north if a text is these four numbers; WKT may have three commas, too.

    Example:
        >>> corners("7,50,8.5,51"), corners("POLYGON ((0 0, 1 0, 1 1, 0 0))")
        ([7.0, 50.0, 8.5, 51.0], None)
    """
    numbers = text.split(",")
    try:
        return [float(each) for each in numbers] if len(numbers) == 4 else None
    except ValueError:
        return None


def _area(text: str) -> str:
    box = corners(text)
    if box is not None:
        return f"shapely.box({', '.join(map(str, box))})"
    if _is_file(text):
        return f"shapely.from_geojson(Path({_quoted(text)}).read_text())"
    return f"shapely.from_wkt({_quoted(text)})"


def _is_file(text: str) -> bool:
    return "(" not in text and Path(text).is_file()


def _quoted(text: str) -> str:
    return escape(json.dumps(text, ensure_ascii=False))
