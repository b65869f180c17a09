"""Geometries of shapely as inputs: each comes back bit by bit, or is refused."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilebox_celery.errors import InputError
from tilebox_celery.model.inputs import deserialize, serialize
from tilebox_celery.model.task import Task

shapely = pytest.importorskip("shapely")

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SRIDS = st.sampled_from([0, 4326, 32633, 999_999])


def one_of(hint: Any) -> Any:
    """Make a task class with one field of this annotation."""
    return type("One", (Task,), {"__annotations__": {"value": hint}})


@st.composite
def coordinates(draw: st.DrawFn, least: int, closed: bool = False) -> list[tuple[float, ...]]:
    """Draw points with two or three numbers."""
    size = draw(st.sampled_from([2, 3]))
    points = draw(st.lists(st.tuples(*[NUMBERS] * size), min_size=least, max_size=6))
    return [*points, points[0]] if closed else points


POINTS = coordinates(1).map(lambda points: shapely.Point(points[0]))
LINES = coordinates(2).map(shapely.LineString)
RINGS = coordinates(3, closed=True)
POLYGONS = st.tuples(RINGS, st.lists(RINGS, max_size=2)).map(lambda each: shapely.Polygon(*each))
SIMPLE = {
    "Point": POINTS | st.just(shapely.Point()),
    "LineString": LINES | st.just(shapely.LineString()),
    "LinearRing": RINGS.map(shapely.LinearRing) | st.just(shapely.LinearRing()),
    "Polygon": POLYGONS | st.just(shapely.Polygon()),
    "MultiPoint": st.lists(POINTS, max_size=3).map(shapely.MultiPoint),
    "MultiLineString": st.lists(LINES, max_size=3).map(shapely.MultiLineString),
    "MultiPolygon": st.lists(POLYGONS, max_size=3).map(shapely.MultiPolygon),
}
PARTS = st.one_of([SIMPLE[name] for name in SIMPLE if name != "LinearRing"])
COLLECTIONS = st.recursive(
    st.lists(PARTS, max_size=3).map(shapely.GeometryCollection),
    lambda inner: st.lists(inner | PARTS, max_size=3).map(shapely.GeometryCollection),
    max_leaves=3,
)
GEOMETRIES = {**SIMPLE, "GeometryCollection": COLLECTIONS}


def same(left: Any, right: Any) -> bool:
    """Equal in type, dimension, SRID and each bit of each coordinate."""
    return (
        type(left) is type(right)
        and left.wkb == right.wkb
        and shapely.get_srid(left) == shapely.get_srid(right)
        and left.has_z == right.has_z
    )


@pytest.mark.clause("2.task-4")
@pytest.mark.parametrize("name", GEOMETRIES)
@given(st.data())
def test_each_geometry_comes_back(name: str, data: st.DataObject) -> None:
    """Any geometry is the same afterwards: type, Z, SRID, all digits; and gives the same bytes again."""
    value = shapely.set_srid(data.draw(GEOMETRIES[name]), data.draw(SRIDS))
    exact, wide = one_of(getattr(shapely, name)), one_of(shapely.Geometry)

    stored = serialize(exact(value))

    assert same(deserialize(exact, stored).value, value)
    assert same(deserialize(wide, serialize(wide(value))).value, value)
    assert serialize(exact(deserialize(exact, stored).value)) == stored


def test_stored_forms() -> None:
    """A geometry is its EWKB, little-endian, in hexadecimal; a ring has its polygon's, after a word."""
    ring = shapely.LinearRing([(0, 0), (1, 0), (1, 1)])

    assert serialize(one_of(shapely.Point)(shapely.set_srid(shapely.Point(1, 2), 4326))) == (
        b'"0101000020E6100000000000000000F03F0000000000000040"'
    )
    assert serialize(one_of(shapely.LinearRing)(ring)) == f'"LINEARRING {shapely.Polygon(ring).wkb_hex}"'.encode()


@pytest.mark.parametrize(
    "text",
    [
        "POINT M (1 2 3)",
        "LINESTRING ZM (1 2 3 4, 5 6 7 8)",
        "LINEARRING ZM (0 0 1 2, 1 0 1 2, 1 1 1 2, 0 0 1 2)",
        "POINT Z EMPTY",
        "LINEARRING Z EMPTY",
        "MULTIPOINT (EMPTY, (1 2))",
        "GEOMETRYCOLLECTION (POINT EMPTY, GEOMETRYCOLLECTION EMPTY)",
    ],
)
def test_measures_and_empty_parts_come_back(text: str) -> None:
    """M, and emptiness in three dimensions or within a collection, stay."""
    one, geometry = one_of(shapely.Geometry), shapely.set_srid(shapely.from_wkt(text), 4326)

    back = deserialize(one, serialize(one(geometry))).value

    assert same(back, geometry)
    assert back.wkt == geometry.wkt


@pytest.mark.clause("2.task-4")
def test_geometries_stand_wherever_an_annotation_allows() -> None:
    """In lists, dicts, sets, tuples, optional fields, unions and nested dataclasses geometries come back."""

    @dataclass
    class Site:
        name: str
        outline: shapely.Polygon | shapely.MultiPolygon
        gauge: shapely.Point | None = None

    class Survey(Task):
        sites: dict[str, list[Site]]
        track: tuple[str, shapely.LineString]
        points: set[shapely.Point] = field(default_factory=set)
        clip: shapely.Geometry | None = None

    box, many = shapely.box(0, 0, 1, 1), shapely.MultiPolygon([shapely.box(2, 2, 3, 3)])
    points = [shapely.Point(x, 2) for x in range(40)]
    backwards = points[::-1]
    task = Survey(
        {"a": [Site("b", box), Site("c", many, shapely.Point(1, 2, 3))]},
        ("t", shapely.LineString([(0, 0), (1, 1)])),
        set(points),
        shapely.LinearRing([(0, 0), (1, 0), (1, 1)]),
    )

    stored = serialize(task)

    assert deserialize(Survey, stored) == task
    assert serialize(Survey(task.sites, task.track, set(backwards), task.clip)) == stored
    assert deserialize(Survey, serialize(Survey({}, task.track))) == Survey({}, task.track)


def test_geometries_of_other_writers() -> None:
    """An input written by hand may hold WKT, or WKB of either byte order."""
    one = one_of(shapely.Point)

    assert deserialize(one, b'"POINT (1 2)"').value == shapely.Point(1, 2)
    assert deserialize(one, f'"{shapely.Point(1, 2).wkb_hex}"'.encode()).value == shapely.Point(1, 2)
    big = shapely.to_wkb(shapely.Point(1, 2), hex=True, byte_order=0)
    assert deserialize(one, f'"{big.lower()}"'.encode()).value == shapely.Point(1, 2)
    assert deserialize(one, b'{"value": "POINT (1 2)"}').value == shapely.Point(1, 2)
    assert deserialize(one, serialize(one("POINT (1 2)"))).value == shapely.Point(1, 2)


NAN = float("nan")
RING = [(0, 0), (1, 0), (1, 1)]


@pytest.mark.clause("2.task-4")
@pytest.mark.parametrize(
    ("hint", "value", "reason"),
    [
        (shapely.Polygon, shapely.Point(1, 2), "its annotation would not bring <POINT (1 2)> back as a Point"),
        (shapely.Polygon | None, shapely.Point(1, 2), "its annotation would not bring <POINT (1 2)> back as a Point"),
        (list[shapely.Polygon], shapely.box(0, 0, 1, 1), "back as a Polygon"),
        (str, shapely.Point(1, 2), "back as a Point"),
        (Any, [shapely.Point(1, 2)], "back as a Point"),
        (shapely.Polygon, "POINT (1 2)", "expected a Polygon, got a Point"),
        (shapely.Point, "somewhere", "'somewhere' is neither WKB in hexadecimal nor WKT (ParseException"),
        (shapely.Point, "00", "'00' is neither WKB in hexadecimal nor WKT (ParseException"),
        (shapely.Point, 3, "expected the WKB of a Point in hexadecimal, got 3"),
        (shapely.Point, shapely.Point(NAN, NAN), "a Point with NaN coordinates cannot be stored"),
        (shapely.Geometry, shapely.MultiPoint([(1, 2), (NAN, 1)]), "a MultiPoint with NaN coordinates"),
        (shapely.Geometry, shapely.GeometryCollection([shapely.LinearRing(RING)]), "come back as a LineString"),
        (
            shapely.Geometry,
            shapely.GeometryCollection([shapely.GeometryCollection([shapely.LinearRing(RING)])]),
            "come back as a LineString",
        ),
    ],
)
def test_what_would_not_come_back_is_refused(hint: Any, value: Any, reason: str) -> None:
    """A geometry of another type, or one without an exact form, is refused in one sentence that names the field."""
    with pytest.raises(InputError, match=r"^Task One: the field 'value' cannot be stored: .*\.$") as refused:
        serialize(one_of(hint)(value))

    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (shapely.Point(1, 2).wkb_hex, "expected a Polygon, got a Point"),
        ("01", "neither WKB in hexadecimal nor WKT"),
        ("LINEARRING 01", "neither WKB in hexadecimal nor WKT"),
        ("LINEARRING " + shapely.Point(1, 2).wkb_hex, "neither WKB in hexadecimal nor WKT"),
        (f"LINEARRING {shapely.box(0, 0, 1, 1).wkb_hex}", "expected a Polygon, got a LinearRing"),
        ("", "neither WKB in hexadecimal nor WKT"),
    ],
)
def test_what_a_runner_cannot_read(data: str, reason: str) -> None:
    """A stored text that is no geometry of this type is an InputError of one sentence."""
    sentence = r"^Failed to deserialize input of task One: field 'value': .*\.$"

    with pytest.raises(InputError, match=sentence) as unfit:
        deserialize(one_of(shapely.Polygon), f'"{data}"'.encode())

    assert reason in str(unfit.value)
    assert "\n" not in str(unfit.value)
