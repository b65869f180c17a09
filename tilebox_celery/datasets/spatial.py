"""Filter datapoints by an area: boxes for the database's index, and the exact test by shapely on what it finds."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from shapely.geometry.base import BaseGeometry

from tilebox_celery.datasets.sphere import is_unusual, on_sphere
from tilebox_celery.errors import ArgumentError

KEYS = ("geometry", "mode", "coordinate_system")


SpatialExtentLike = BaseGeometry | dict[str, Any]
"""A geometry, or a dict of `geometry`, `mode` and `coordinate_system`."""


class SpatialMode(StrEnum):
    """Which datapoints are meant: those that meet the area, or those that lie within it."""

    INTERSECTS = "intersects"
    CONTAINS = "contains"


class CoordinateSystem(StrEnum):
    """How longitudes are read: around the Earth, or as plain numbers."""

    SPHERICAL = "spherical"
    CARTESIAN = "cartesian"


@dataclass(frozen=True)
class Area:
    """An area of interest.

    Args:
        geometry: In degrees of longitude and latitude.
        mode: Which datapoints are meant.
        coordinate_system: `spherical` takes edges of more than 180 degrees across the antimeridian and rings around
            the Earth over the pole, whatever way the geometries of datapoints are cut; edges are straight in longitude
            and latitude. `cartesian` takes all coordinates as they are.
    """

    geometry: BaseGeometry
    mode: SpatialMode = SpatialMode.INTERSECTS
    coordinate_system: CoordinateSystem = CoordinateSystem.SPHERICAL

    def condition(self, bind: Callable[[Any, str], str]) -> str:
        """Return what the database tests by its index: it keeps all datapoints that may match, and some more."""
        places = [bind(_box_text(bounds), "box") for bounds in _boxes(self._shapes())]
        tests = [f"_box && {place}" for place in places]
        if self.coordinate_system is CoordinateSystem.CARTESIAN:
            tests.append("_wrapped is not null")  # these have boxes of their cut form
        else:
            tests += [f"_wrapped && {place}" for place in places]
        return "(" + " or ".join(tests) + ")"

    def matches(self, wkb: pa.Array) -> np.ndarray:
        """Test geometries exactly.

        Args:
            wkb: Geometries as binary.

        Returns:
            An array of bool; absent geometries do not match.
        """
        geometries = geometries_of(wkb)
        if self.coordinate_system is CoordinateSystem.SPHERICAL:
            geometries = on_sphere(geometries)
        try:
            return self._test(geometries)
        except shapely.GEOSException:
            return self._test(shapely.make_valid(geometries))

    def _test(self, geometries: np.ndarray) -> np.ndarray:
        test = shapely.intersects if self.mode is SpatialMode.INTERSECTS else shapely.contains
        found = np.zeros(len(geometries), bool)
        for shape in self._shapes():
            shapely.prepare(shape)
            found |= test(shape, geometries)
        return found

    def _shapes(self) -> list[BaseGeometry]:
        if self.coordinate_system is CoordinateSystem.CARTESIAN:
            return [self.geometry]
        [shape] = on_sphere(np.array([self.geometry], dtype=object))
        if self.mode is SpatialMode.CONTAINS:
            return [shape]
        return [shape, *_other_side(shape)]


def parse_area(value: object) -> Area:
    """Read an area of interest.

    Args:
        value: A shapely geometry, or a dict with `geometry` and maybe `mode` and `coordinate_system`.

    Raises:
        ArgumentError: It is neither, is empty, or leaves the range of latitudes.

    Example:
        >>> area = parse_area({"geometry": shapely.box(0, 0, 1, 1), "mode": "contains"})
        >>> str(area.mode), str(area.coordinate_system)
        ('contains', 'spherical')
    """
    if isinstance(value, Area):
        return value
    given: dict[str, Any] = {"geometry": value}
    if isinstance(value, dict):
        given = value
        for key in given:
            if key not in KEYS:
                raise ArgumentError(f"A spatial extent has no '{key}': it may have {', '.join(KEYS)}.")
    geometry = given.get("geometry")
    if not isinstance(geometry, BaseGeometry):
        raise ArgumentError(
            f"A spatial extent must be a shapely geometry, or a dict with one as 'geometry', not {geometry!r}."
        )
    if geometry.is_empty:
        raise ArgumentError("The geometry of the spatial extent is empty.")
    bounds = np.array(geometry.bounds)
    if not np.isfinite(shapely.get_coordinates(geometry)).all():  # bounds pass over some
        raise ArgumentError("The geometry of the spatial extent has a coordinate that is no finite number.")
    if bounds[1] < -90 or bounds[3] > 90:
        raise ArgumentError(
            f"The geometry of the spatial extent has latitudes from {bounds[1]:g} to {bounds[3]:g}, but they must be "
            "within -90 and 90 degrees: coordinates are longitude, latitude."
        )
    mode = _choice(SpatialMode, given.get("mode", SpatialMode.INTERSECTS), "mode")
    system = _choice(CoordinateSystem, given.get("coordinate_system", CoordinateSystem.SPHERICAL), "coordinate_system")
    flat = shapely.force_2d(geometry)
    # On the sphere validity can be told only after the cut.
    is_plain = system is CoordinateSystem.CARTESIAN or not is_unusual(bounds)
    return Area(shapely.make_valid(flat) if is_plain and not flat.is_valid else flat, mode, system)


def bounding_boxes(wkb: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return two boxes for each geometry in the binary form of Postgres.

    Args:
        wkb: Geometries as binary, null where absent.

    Returns:
        The box of each, and a second one for each that is different on the sphere: for those, both bound the form that
        is cut at the antimeridian. All others have no second one.
    """
    geometries = geometries_of(wkb)
    first = shapely.bounds(geometries)
    second = np.full_like(first, np.nan)
    unusual = np.flatnonzero(is_unusual(first))
    for place, geometry in zip(unusual, on_sphere(geometries[unusual]), strict=True):
        boxes = _boxes([geometry])
        first[place], second[place] = boxes[0], boxes[-1]
    return _postgres_boxes(first), _postgres_boxes(second)


def geometries_of(wkb: pa.Array) -> np.ndarray:
    """Return shapely geometries, None where absent."""
    values = wkb.to_numpy(zero_copy_only=False)
    return np.asarray(shapely.from_wkb(values), dtype=object)


def _boxes(shapes: list[BaseGeometry]) -> list[np.ndarray]:
    """Return at most one box for each hemisphere of each shape: a box around both would be one around the Earth."""
    boxes: list[np.ndarray] = []
    for shape in shapes:
        bounds = shapely.bounds(shapely.get_parts(shape))
        is_west = bounds[:, 0] + bounds[:, 2] < 0
        for side in (bounds[is_west], bounds[~is_west]):
            if len(side):
                boxes.append(np.concatenate([side[:, :2].min(axis=0), side[:, 2:].max(axis=0)]))  # noqa: PERF401
    return boxes


def _other_side(shape: BaseGeometry) -> list[BaseGeometry]:
    """Return where a shape touches the antimeridian, as seen from the other side; both poles are on all sides."""
    seen: list[BaseGeometry] = []
    west, south, east, north = shape.bounds
    for is_there, here, there in ((west == -180, -180, 180), (east == 180, 180, -180)):
        if is_there:
            touched = shapely.intersection(shape, shapely.linestrings([[here, -90], [here, 90]]))
            seen.append(shapely.transform(touched, lambda points, move=there - here: np.add(points, [move, 0])))
    seen += [shapely.linestrings([[-180, pole], [180, pole]]) for pole in (-90, 90) if pole in (south, north)]
    return seen


def _postgres_boxes(bounds: np.ndarray) -> pa.Array:
    """Encode boxes as Postgres sends them: upper right corner, lower left corner, big-endian."""
    encoded = np.ascontiguousarray(bounds[:, [2, 3, 0, 1]].astype(">f8"))
    values = pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(bounds), [None, pa.py_buffer(encoded)])
    is_missing = np.isnan(bounds).any(axis=1)
    if not is_missing.any():
        return values
    validity = pa.py_buffer(np.packbits(~is_missing, bitorder="little"))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(32), len(bounds), [validity, values.buffers()[1]])


def _box_text(bounds: np.ndarray) -> str:
    return "({!r},{!r}),({!r},{!r})".format(*(float(value) for value in bounds))


def _choice(options: type[StrEnum], value: Any, name: str) -> Any:
    try:
        return options(value)
    except ValueError:
        known = " or ".join(f"'{option}'" for option in options)
        raise ArgumentError(f"The {name} of a spatial extent must be {known}, not {value!r}.") from None
