"""STAC items in files: JSON, one item a line, or stac-geoparquet."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from tilebox_celery.datasets.json_text import loads
from tilebox_celery.datasets.stac.documents import is_catalog, items_of, walk_catalog
from tilebox_celery.datasets.stac.geoparquet import read_geoparquet
from tilebox_celery.errors import ArgumentError

_BUFFER_BYTES = 1 << 20
"""Of a file of one item a line; most lines are longer than what Python reads at once."""


def read_file(path: Path) -> Iterable[Any]:
    """Return the items of a file; the ending of its name says what it holds.

    Raises:
        ArgumentError: It cannot be read, or holds something else; it names the file, and the line of one item a line.
    """
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        endings = ", ".join(_READERS)
        raise ArgumentError(f"{path} cannot be read: files of STAC items end with one of {endings}.")
    if not path.is_file():
        raise ArgumentError(f"{path} cannot be read: there is no such file.")
    return reader(path)


def _read_json(path: Path) -> Iterable[Any]:
    document = _load(path)
    if is_catalog(document):
        return walk_catalog(document, str(path), lambda href: _load(Path(href)), _join)
    return items_of(document, str(path))


def _load(path: Path) -> Any:
    try:
        return loads(path.read_bytes())
    except OSError as error:
        raise ArgumentError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ArgumentError(f"{path} is no JSON ({error}); name a file of one item a line .ndjson.") from None


def _join(base: str, href: str) -> str:
    return str((Path(base).parent / href).resolve())


def _read_lines(path: Path) -> Iterator[Any]:
    try:
        with path.open("rb", buffering=_BUFFER_BYTES) as lines:
            for number, line in enumerate(lines, start=1):
                if line.isspace():
                    continue
                try:
                    yield loads(line)
                except ValueError as error:
                    raise ArgumentError(f"{path}, line {number}, is no JSON: {error}.") from None
    except OSError as error:
        raise ArgumentError(f"{path} cannot be read: {error.strerror}.") from error


_READERS: dict[str, Callable[[Path], Iterable[Any]]] = {
    ".json": _read_json,
    ".geojson": _read_json,
    ".ndjson": _read_lines,
    ".jsonl": _read_lines,
    ".geojsonl": _read_lines,
    ".parquet": read_geoparquet,
    ".geoparquet": read_geoparquet,
}
