"""Values of pyproj, affine, rasterio, numpy and pandas as inputs."""

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import affine
import numpy
import numpy.typing
import pandas
import pyproj
import pyproj.crs
import pytest
import rasterio.crs
import rasterio.windows
from hypothesis import given
from hypothesis import strategies as st

from tilebox_celery.errors import InputError
from tilebox_celery.model.codecs import register_codec
from tilebox_celery.model.inputs import deserialize, serialize
from tilebox_celery.model.task import Task

EXACT = st.floats(allow_nan=False, allow_infinity=False)


def one_of(hint: Any) -> Any:
    """Make a task class with one field of this annotation."""
    return type("One", (Task,), {"__annotations__": {"value": hint}})


def roundtrip(hint: Any, value: Any) -> Any:
    """Store and load a value, alone and in an optional list."""
    one, listed = one_of(hint), one_of(list[hint] | None)
    back = deserialize(one, serialize(one(value))).value
    assert deserialize(listed, serialize(listed([value]))).value == [back]
    return back


@pytest.mark.clause("2.task-4")
@pytest.mark.parametrize(
    ("definition", "stored"),
    [
        ("EPSG:4326", b'"EPSG:4326"'),
        (32633, b'"EPSG:32633"'),
        ("OGC:CRS84", b'"OGC:CRS84"'),
        ("ESRI:102001", b'"ESRI:102001"'),
        ("EPSG:9518", b'"EPSG:9518"'),
        (pyproj.CRS(4326).to_wkt(), b'"EPSG:4326"'),
        ("EPSG:4326+5773", b'"COMPOUNDCRS['),
        ("+proj=utm +zone=33 +type=crs", b'"PROJCRS['),
        ("+proj=laea +lat_0=52 +lon_0=10.000000000002", b'"PROJCRS['),
        ("+proj=geos +h=35785831 +lon_0=0 +sweep=y", b'"PROJCRS['),
        ("+proj=longlat +ellps=bessel +towgs84=1,2,3,4,5,6,7", b'"{'),
    ],
)
def test_a_crs_comes_back_exactly(definition: Any, stored: bytes) -> None:
    """Authority and code stand for a CRS only if they say all of it; else it is written out."""
    crs = pyproj.CRS(definition)

    assert serialize(one_of(pyproj.CRS)(crs)).startswith(stored)
    assert roundtrip(pyproj.CRS, crs).to_wkt() == crs.to_wkt()


def test_a_crs_that_only_looks_like_a_known_one() -> None:
    """A changed definition under the id of a known CRS keeps its change."""
    changed = pyproj.CRS(pyproj.CRS(32633).to_wkt().replace("500000", "500001"))

    back = roundtrip(pyproj.CRS, changed)

    assert back.to_wkt() == changed.to_wkt()
    assert not serialize(one_of(pyproj.CRS)(changed)).startswith(b'"EPSG')


def test_classes_of_crs() -> None:
    """An annotation with a special class of CRS brings that class back, and takes no other."""
    crs = pyproj.crs.ProjectedCRS.from_user_input(32633)

    back = roundtrip(pyproj.crs.ProjectedCRS, crs)

    assert type(back) is pyproj.crs.ProjectedCRS
    assert back == crs
    with pytest.raises(InputError, match="EPSG:4326"):
        serialize(one_of(pyproj.crs.ProjectedCRS)("EPSG:4326"))


def test_a_crs_of_rasterio_comes_back() -> None:
    """rasterio's own class of CRS is an input, too."""
    known = rasterio.crs.CRS.from_epsg(32633)
    local = rasterio.crs.CRS.from_proj4("+proj=laea +lat_0=52 +lon_0=10.5 +ellps=GRS80")

    assert serialize(one_of(rasterio.crs.CRS)(known)) == b'"EPSG:32633"'
    assert roundtrip(rasterio.crs.CRS, known) == known
    back = roundtrip(rasterio.crs.CRS, local)
    assert back == local
    assert back.to_wkt(version="WKT2_2019") == local.to_wkt(version="WKT2_2019")


@pytest.mark.clause("2.task-4")
@given(st.tuples(*[EXACT] * 6))
def test_an_affine_is_six_numbers(numbers: tuple[float, ...]) -> None:
    """A transform comes back with each bit of its numbers."""
    back = roundtrip(affine.Affine, affine.Affine(*numbers))

    assert type(back) is affine.Affine
    assert [each.hex() for each in tuple(back)[:6]] == [each.hex() for each in numbers]


def test_stored_forms() -> None:
    """The stored forms are plain: six numbers, an object, a number and its unit."""
    window = rasterio.windows.Window(10, 20, 256, 128.5)

    assert serialize(one_of(affine.Affine)(affine.Affine(10, 0, 5e5, 0, -10, 6e6))) == (
        b"[10.0, 0.0, 500000.0, 0.0, -10.0, 6000000.0]"
    )
    assert serialize(one_of(rasterio.windows.Window)(window)) == (
        b'{"column_offset": 10, "row_offset": 20, "width": 256, "height": 128.5}'
    )
    assert roundtrip(rasterio.windows.Window, window) == window
    assert serialize(one_of(numpy.timedelta64)(numpy.timedelta64(5, "ns"))) == b'[5, "ns"]'
    assert deserialize(one_of(numpy.datetime64), b'"2024-02-22T00:00:00Z"').value == numpy.datetime64("2024-02-22")


@pytest.mark.clause("2.task-4")
def test_where_a_raster_lies_is_a_nested_dataclass() -> None:
    """In dataclasses, containers and optional fields they come back as well."""

    @dataclass
    class Grid:
        crs: pyproj.CRS
        transform: affine.Affine
        window: rasterio.windows.Window | None = None

    class Warp(Task):
        grids: dict[str, list[Grid]]
        target: pyproj.CRS | None = None

    grid = Grid(pyproj.CRS(32633), affine.Affine.scale(10.0), rasterio.windows.Window(0, 0, 1, 1))
    task = Warp({"a": [grid, Grid(pyproj.CRS("OGC:CRS84"), affine.Affine.identity())]})

    assert deserialize(Warp, serialize(task)) == task
    assert serialize(task) == serialize(deserialize(Warp, serialize(task)))


@given(
    st.one_of(
        st.tuples(st.just(numpy.int8), st.integers(-128, 127)),
        st.tuples(st.just(numpy.uint64), st.integers(0, 2**64 - 1)),
        st.tuples(st.just(numpy.float32), st.floats(width=32, allow_nan=False, allow_infinity=False)),
        st.tuples(st.just(numpy.float64), EXACT),
        st.tuples(st.just(numpy.bool_), st.booleans()),
        st.tuples(st.just(numpy.str_), st.text(st.characters(exclude_characters="\x00", codec="utf-8"))),
    )
)
def test_scalars_of_numpy_come_back_as_their_class(case: tuple[Any, Any]) -> None:
    """An annotation with a scalar class of numpy brings that class back."""
    cls, number = case

    back = roundtrip(cls, cls(number))

    assert type(back) is cls
    assert repr(back) == repr(cls(number))


@given(st.integers(-(2**62), 2**62), st.sampled_from(["D", "h", "m", "s", "ms", "us", "ns"]))
def test_times_of_numpy_come_back(count: int, unit: str) -> None:
    """datetime64 and timedelta64 come back with their unit."""
    span = numpy.timedelta64(count, unit)
    time = numpy.datetime64(count // (1 if unit.endswith("s") and unit != "s" else 2**28), unit)

    for value in (span, time):
        back = roundtrip(type(value), value)
        assert back == value
        assert back.dtype == value.dtype


@given(st.integers(-(2**62), 2**62), st.sampled_from([None, "UTC"]))
def test_times_of_pandas_keep_nanoseconds(count: int, zone: str | None) -> None:
    """Timestamp and Timedelta come back with all nine digits of a second."""
    time, span = pandas.Timestamp(count, tz=zone), pandas.Timedelta(count)

    assert roundtrip(pandas.Timestamp, time) == time
    assert type(roundtrip(pandas.Timestamp, time)) is pandas.Timestamp
    assert roundtrip(pandas.Timedelta, span) == span


NAN = float("nan")


@pytest.mark.clause("2.task-4")
@pytest.mark.parametrize(
    ("hint", "value", "reason"),
    [
        (affine.Affine, affine.Affine(NAN, 0, 0, 0, 1, 0), "an Affine with NaN or infinite numbers cannot be stored"),
        (affine.Affine, affine.Affine(1, 0, float("inf"), 0, 1, 0), "an Affine with NaN or infinite numbers"),
        (affine.Affine, (1, 2, 3), "expected the six numbers of an Affine, got [1, 2, 3]"),
        (affine.Affine, "a", "expected the six numbers of an Affine, got 'a'"),
        (pyproj.CRS, "EPSG:0", "'EPSG:0' is no CRS that is known here ("),
        (pyproj.CRS, 4326, "expected the text of a CRS, such as 'EPSG:4326', got 4326"),
        (pyproj.CRS, rasterio.crs.CRS.from_epsg(4326), "back as a CRS"),
        (str, pyproj.CRS(4326), "would not bring <Geographic 2D CRS: EPSG:4326> Name: WGS 84"),
        (rasterio.crs.CRS, "EPSG:0", "'EPSG:0' is no CRS that is known here ("),
        (rasterio.windows.Window, {"width": 1}, "expected an object with column_offset, row_offset, width, height"),
        (numpy.int8, 300, "300 is out of range of a int8"),
        (numpy.int8, 1.5, "expected a int8, got 1.5"),
        (numpy.float32, 1e300, "out of range of a float32"),
        (numpy.float32, numpy.float32("nan"), "nan is not JSON; use None for a missing number"),
        (numpy.datetime64, numpy.datetime64("NaT"), "NaT is no time; use None for a missing one"),
        (numpy.timedelta64, numpy.timedelta64("NaT"), "NaT is no time"),
        (numpy.timedelta64, [5], "expected a number and its unit"),
        (numpy.datetime64, numpy.zeros(3, "datetime64[s]"), "put it into the job cache"),
        (pandas.Timestamp, pandas.NaT, "NaT"),
        (pandas.Timestamp, "soon", "soon"),
    ],
)
def test_what_would_not_come_back_is_refused(hint: Any, value: Any, reason: str) -> None:
    """A value that does not fit its annotation is refused in one sentence that names the field."""
    with pytest.raises(InputError, match=r"^Task One: the field 'value' cannot be stored: .*\.$") as refused:
        serialize(one_of(hint)(value))

    assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("hint", "data", "reason"),
    [
        (affine.Affine, b"[1, 2, 3, 4, 5]", "expected the six numbers of an Affine"),
        (affine.Affine, b"[1, 2, 3, 4, 5, true]", "expected the six numbers of an Affine"),
        (pyproj.CRS, b'"EPSG:0"', "no CRS that is known here"),
        (pyproj.CRS, b"7", "expected the text of a CRS"),
        (rasterio.crs.CRS, b'"nowhere"', "no CRS that is known here"),
        (numpy.uint8, b"256", "out of range of a uint8"),
        (numpy.datetime64, b'"soon"', "soon"),
        (numpy.datetime64, b'"NaT"', "NaT is no time"),
    ],
)
def test_what_a_runner_cannot_read(hint: Any, data: bytes, reason: str) -> None:
    """Stored data that is no value of this type is an InputError of one sentence."""
    with pytest.raises(InputError, match=r"^Failed to deserialize input of task One: field 'value': .*\.$") as unfit:
        deserialize(one_of(hint), data)

    assert reason in str(unfit.value)


@pytest.mark.parametrize(
    ("hint", "advice"),
    [
        (pyproj.Transformer, "pass its two CRS, and call Transformer.from_crs in execute"),
        (list[pyproj.Transformer] | None, "pass its two CRS, and call Transformer.from_crs in execute"),
        (numpy.ndarray, "put it into the job cache and pass the key"),
        (numpy.typing.NDArray[numpy.float32], "put it into the job cache and pass the key"),
        (pandas.DataFrame, "put it into the job cache and pass the key"),
        (numpy.floating, "use a dataclass, or teach it with register_codec"),
        (numpy.complex64, "use a dataclass, or teach it with register_codec"),
        (numpy.longdouble, "use a dataclass, or teach it with register_codec"),
    ],
)
def test_types_without_a_form_say_what_to_do(hint: Any, advice: str) -> None:
    """A class that cannot be an input is refused by its field, with what to do instead."""
    one: Any = type("One", (Task,), {"__annotations__": {"value": hint}, "value": None})

    with pytest.raises(InputError, match=rf"^Task One: field 'value': \w+ has no JSON form; {advice}\.$"):
        serialize(one())


def test_a_registered_codec_comes_first() -> None:
    """What a user has registered for a class of a library is used instead."""

    class Grid(affine.Affine): ...

    register_codec(Grid, lambda grid: f"{grid.a}", lambda text: Grid(float(text), 0, 0, 0, 1, 0))

    assert serialize(one_of(Grid)(Grid(2, 0, 0, 0, 1, 0))) == b'"2.0"'


def test_no_library_is_loaded_for_inputs() -> None:
    """Writing, storing and loading plain tasks imports none of these libraries."""
    script = (
        "import sys\n"
        "from datetime import datetime\n"
        "from tilebox_celery.workflows import Task\n"
        "from tilebox_celery.model.inputs import deserialize, serialize\n"
        "class Plain(Task):\n"
        "    when: datetime\n"
        "    names: list[str]\n"
        "deserialize(Plain, serialize(Plain(datetime(2024, 1, 1), ['a'])))\n"
        "print(sorted({'shapely', 'pyproj', 'affine', 'numpy', 'pandas', 'rasterio'} & set(sys.modules)))\n"
    )

    printed = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout

    assert printed.strip() == "[]"
