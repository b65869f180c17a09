"""Areas of interest give what shapely gives, with the antimeridian and the poles right."""

from typing import Any

import antimeridian
import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry.base import BaseGeometry

from tilebox_celery.datasets.filters import field
from tilebox_celery.datasets.schema import DatasetKind, Field, FieldType, Schema
from tilebox_celery.datasets.spatial import parse_area
from tilebox_celery.datasets.sphere import on_sphere
from tilebox_celery.datasets.store.pages import join
from tilebox_celery.datasets.store.records import CollectionRecord
from tilebox_celery.datasets.store.store import DatasetStore
from tilebox_celery.errors import ArgumentError
from tilebox_celery.postgres.connection import Connection

SCHEMA = Schema(DatasetKind.SPATIOTEMPORAL, (Field("n", FieldType.INT32),))


def collection_of(store: DatasetStore, geometries: list[BaseGeometry | None], name: str = "one") -> CollectionRecord:
    """Store one datapoint for each geometry; the time is its place."""
    dataset = store.create_or_update_dataset("a.areas", SCHEMA)
    collection = store.create_collection(dataset, name)
    count = len(geometries)
    table = pa.table(
        {
            "time": pa.array(range(count), pa.timestamp("ms")),
            "id": pa.array([place.to_bytes(6, "big") + bytes(10) for place in range(count)], pa.binary(16)),
            "geometry": pa.array([None if each is None else shapely.to_wkb(each) for each in geometries], pa.binary()),
            "n": pa.array(range(count), pa.int32()),
        }
    )
    store.ingest(collection, table)
    return collection


def found(store: DatasetStore, collection: CollectionRecord, area: object, **options: Any) -> list[int]:
    """Return the places of what an area finds."""
    tables = [page.table for page in store.load([collection], 0, 10**6, area=area, **options)]
    return join(tables).column("time").cast(pa.int64()).to_pylist() if tables else []


def ring(west: float, south: float, width: float, height: float) -> BaseGeometry:
    """Return a box whose longitudes wrap at 180 degrees, as providers write footprints."""

    def wrapped(longitude: float) -> float:
        return (longitude + 180) % 360 - 180

    west, east = wrapped(west), wrapped(west + width)
    points = [(west, south), (east, south), (east, south + height), (west, south + height)]
    return shapely.Polygon(points)


# Half of them lie around the antimeridian.
WESTS = st.one_of(st.integers(-179, 179), st.integers(140, 220))
FOOTPRINTS = st.builds(ring, WESTS, st.integers(-85, 60), st.integers(1, 60), st.integers(1, 20))
MODES = st.sampled_from(["intersects", "contains"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(geometries=st.lists(FOOTPRINTS, min_size=1, max_size=12), area=FOOTPRINTS, mode=MODES)
@pytest.mark.clause("d1.7-3")
def test_areas_on_the_sphere_equal_shapely_on_fixed_polygons(
    store: DatasetStore, geometries: list[BaseGeometry], area: BaseGeometry, mode: str
) -> None:
    """In spherical mode a query finds what shapely finds once the antimeridian package has cut all polygons."""
    collection = collection_of(store, geometries)
    fixed = [fix(each) for each in geometries]

    wanted = [place for place, each in enumerate(fixed) if meets(fix(area), each, mode)]

    assert found(store, collection, {"geometry": area, "mode": mode}) == wanted
    store.delete_collection(collection)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(geometries=st.lists(FOOTPRINTS, min_size=1, max_size=12), area=FOOTPRINTS, mode=MODES)
@pytest.mark.clause("d1.7-3")
def test_cartesian_areas_equal_plain_shapely(
    store: DatasetStore, geometries: list[BaseGeometry], area: BaseGeometry, mode: str
) -> None:
    """In cartesian mode all coordinates are taken as they are."""
    collection = collection_of(store, geometries)
    test = shapely.intersects if mode == "intersects" else shapely.contains

    wanted = np.flatnonzero(test(area, geometries)).tolist()

    assert found(store, collection, {"geometry": area, "mode": mode, "coordinate_system": "cartesian"}) == wanted
    store.delete_collection(collection)


def fix(polygon: BaseGeometry) -> BaseGeometry:
    """Cut a polygon by the oracle, with edges that are straight in longitude and latitude, as GeoJSON's are."""
    return shapely.geometry.shape(antimeridian.fix_polygon(polygon, great_circle=False).__geo_interface__)


def meets(area: BaseGeometry, geometry: BaseGeometry, mode: str) -> bool:
    """Test by shapely; for intersections also a turn around the Earth away, since both edges are one meridian."""
    if mode == "contains":
        return bool(area.contains(geometry))
    turned = [shapely.transform(geometry, lambda points, move=move: points + [move, 0]) for move in (-360, 0, 360)]  # noqa: RUF005
    return any(area.intersects(each) for each in turned)


def test_a_footprint_across_the_antimeridian(store: DatasetStore) -> None:
    """It is found from both sides, however it is written, and not from the rest of its latitude."""
    wrapped = shapely.Polygon([(170, 0), (-170, 0), (-170, 10), (170, 10)])
    cut = shapely.MultiPolygon([shapely.box(170, 0, 180, 10), shapely.box(-180, 0, -170, 10)])
    beyond = shapely.box(170, 0, 190, 10)
    collection = collection_of(store, [wrapped, cut, beyond, None, shapely.box(0, 0, 10, 10)])

    for area in (shapely.box(-175, 2, -172, 4), shapely.box(172, 2, 175, 4), wrapped, cut, beyond):
        assert found(store, collection, area) == [0, 1, 2]
    for area in (wrapped, cut, beyond, shapely.box(160, -10, 200, 20)):
        assert found(store, collection, {"geometry": area, "mode": "contains"}) == [0, 1, 2]
    assert found(store, collection, shapely.box(1, 1, 2, 2)) == [4]
    assert found(store, collection, {"geometry": shapely.box(1, 1, 2, 2), "coordinate_system": "cartesian"}) == [0, 4]


@pytest.mark.parametrize(("latitude", "pole"), [(70, 90), (-70, -90)])
def test_a_footprint_over_a_pole(store: DatasetStore, latitude: int, pole: int) -> None:
    """A ring around the Earth holds the pole: it is found at every longitude and within a cap around it."""
    longitudes = range(-180, 180, 30) if pole > 0 else range(150, -210, -30)
    over_pole = shapely.Polygon([(longitude, latitude) for longitude in longitudes])
    collection = collection_of(store, [over_pole, shapely.box(0, 0, 10, 10)])

    for longitude in (-179, -10, 95, 179):
        for inside in (pole, (pole + latitude) / 2):
            assert found(store, collection, shapely.Point(longitude, inside)) == [0]
        assert found(store, collection, shapely.Point(longitude, latitude * 0.9)) == []
    [mine] = on_sphere(np.array([over_pole], dtype=object))
    assert mine.symmetric_difference(fix(over_pole)).area < 1e-6
    south, north = sorted((latitude * 0.8, pole))
    cap = {"geometry": shapely.box(-180, south, 180, north), "mode": "contains"}
    assert found(store, collection, cap) == [0]


def test_what_touches_at_the_antimeridian_or_the_pole_intersects(store: DatasetStore) -> None:
    """180 degrees west and east are one meridian, and a pole is one point."""
    collection = collection_of(
        store, [shapely.box(170, 0, 180, 10), shapely.Point(180, 5), shapely.Point(-180, 5), shapely.Point(20, 90)]
    )

    assert found(store, collection, shapely.box(-180, 0, -170, 10)) == [0, 1, 2]
    assert found(store, collection, shapely.box(-80, 80, -70, 90)) == [3]


def test_holes_lines_and_other_geometries(store: DatasetStore) -> None:
    """A hole across the antimeridian stays a hole, and lines and points wrap too."""
    holed = shapely.Polygon(
        [(160, 0), (-160, 0), (-160, 30), (160, 30)], [[(175, 10), (-175, 10), (-175, 20), (175, 20)]]
    )
    line = shapely.LineString([(170, 5), (-170, 5)])
    many = shapely.GeometryCollection([shapely.Point(190, 15), shapely.Point(0, 0)])
    collection = collection_of(store, [holed, line, many, shapely.Polygon()])

    assert found(store, collection, shapely.box(-179, 12, -177, 18)) == []
    assert found(store, collection, shapely.box(-171, 12, -169, 18)) == [0, 2]
    assert found(store, collection, shapely.box(-175, 4, -172, 6)) == [0, 1]
    assert found(store, collection, shapely.box(-90, -5, 90, 8)) == [2]


def test_an_area_joins_filter_and_interval(store: DatasetStore) -> None:
    """All conditions hold at once, and skip_data still leaves only the identity."""
    collection = collection_of(store, [shapely.box(0, 0, 1, 1)] * 10)
    area = shapely.box(0.5, 0.5, 2, 2)

    assert found(store, collection, area, where=field("n") > 6) == [7, 8, 9]
    tables = [page.table for page in store.load([collection], 2, 4, area=area, skip_data=True)]
    assert tables[0].column_names == ["time", "id", "ingestion_time"]
    assert join(tables).num_rows == 2


def test_the_database_looks_areas_up_in_its_index(store: DatasetStore, connection: Connection) -> None:
    """A small area in a large collection is found by the GiST indexes, not by reading all rows."""
    chance = np.random.default_rng(1)
    corners = zip(chance.uniform(-179, 178, 20_000), chance.uniform(-89, 88, 20_000), strict=True)
    collection_of(store, [shapely.box(west, south, west + 1, south + 1) for west, south in corners])
    connection.execute("analyze tbd.rows_1")
    for option in ("enable_seqscan", "enable_bitmapscan"):  # the connections of the ledger have them off
        connection.execute(f"set {option} = on".encode())
    values: list[str] = []

    def bind(value: Any, type_name: str) -> str:
        values.append(value)
        return f"'{value}'::{type_name}"

    condition = parse_area(shapely.box(10, 10, 11, 11)).condition(bind)
    plan = connection.execute(f"explain select * from tbd.rows_1 where {condition}".encode()).fetchall()

    assert any("rows_1__box_idx" in line for (line,) in plan)
    assert not any("Seq Scan" in line for (line,) in plan)


with np.errstate(invalid="ignore"):
    BROKEN_LINE = shapely.LineString([(0, 0), (float("nan"), 1), (1, 1)])


@pytest.mark.parametrize(
    ("area", "sentence"),
    [
        ("POINT (0 0)", "must be a shapely geometry"),
        (shapely.Point(), "is empty"),
        (shapely.Point(float("nan"), 0), "no finite number"),
        (BROKEN_LINE, "no finite number"),
        (shapely.Point(0, 91), "must be within -90 and 90 degrees"),
        ({"geometry": shapely.Point(0, 0), "mode": "near"}, "mode of a spatial extent must be 'intersects' or"),
        ({"geometry": shapely.Point(0, 0), "coordinate_system": "flat"}, "coordinate_system of a spatial extent must"),
        ({"geometry": shapely.Point(0, 0), "colour": 1}, "has no 'colour'"),
        ({"mode": "contains"}, "must be a shapely geometry"),
    ],
)
def test_an_area_that_cannot_be_used_is_one_sentence(
    store: DatasetStore, collection: CollectionRecord, area: object, sentence: str
) -> None:
    """A wrong area is refused before anything is read."""
    with pytest.raises(ArgumentError) as error:
        store.load([collection], 0, 1, area=area)

    assert sentence in str(error.value)


def test_a_temporal_dataset_has_no_area(store: DatasetStore) -> None:
    """An area needs a spatiotemporal dataset."""
    dataset = store.create_or_update_dataset("a.flat", Schema(DatasetKind.TEMPORAL))

    with pytest.raises(ArgumentError, match=r"'a\.flat' is temporal"):
        store.load([store.create_collection(dataset, "one")], 0, 1, area=shapely.Point(0, 0))
