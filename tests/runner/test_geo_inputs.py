"""Geometries, coordinate reference systems and transforms travel from the client through tasks to subtasks."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import affine
import numpy
import pyproj
import pytest
import shapely
from diary import all_tasks

from tilebox_celery.errors import ArgumentError
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.job import Job
from tilebox_celery.model.states import JobState
from tilebox_celery.workflows import Client, ExecutionContext, Task

AREA = shapely.set_srid(shapely.Polygon([(0, 0, 1), (100, 0, 2), (100, 100, 3.3000000000000003), (0, 0, 1)]), 32633)
CRS = pyproj.CRS("+proj=laea +lat_0=52 +lon_0=10.5 +ellps=GRS80 +type=crs")
TRANSFORM = affine.Affine(10.1, 0, 499_980.3, 0, -10.1, 6_000_000.7)


@dataclass
class Grid:
    """Where pixels lie."""

    crs: pyproj.CRS
    transform: affine.Affine
    shape: tuple[int, int]


class Clip(Task):
    """Keeps what it was given."""

    area: shapely.Polygon | shapely.MultiPolygon
    grid: Grid
    when: numpy.datetime64
    folder: Path | None = None

    seen: ClassVar[list["Clip"]] = []

    def execute(self, context: ExecutionContext) -> None:
        Clip.seen.append(self)


class Split(Task):
    """Has a subtask for each part of an area."""

    areas: dict[str, list[shapely.Geometry]]
    grid: Grid

    def execute(self, context: ExecutionContext) -> None:
        for name, parts in self.areas.items():
            for part in parts:
                context.submit_subtask(Clip(part, self.grid, numpy.datetime64("2024-02-22", "ns"), Path(name)))


@pytest.mark.clause("2.task-4")
def test_geometries_arrive_in_subtasks(client: Client, cluster: Cluster) -> None:
    """What a runner executes has the values that were submitted, with each digit, Z and SRID."""
    Clip.seen.clear()
    grid = Grid(CRS, TRANSFORM, (512, 256))
    many = shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 2, 3, 3)])

    job = client.jobs().submit("split", Split({"a": [AREA], "b": [many]}, grid))
    client.runner(tasks=[Split, Clip]).run_all()

    assert client.jobs().find(job).state is JobState.COMPLETED
    first, second = sorted(Clip.seen, key=lambda task: str(task.folder))
    assert (first.area.wkb, shapely.get_srid(first.area), first.folder) == (AREA.wkb, 32633, Path("a"))
    assert second.area == many
    for task in (first, second):
        assert task.grid == grid
        assert task.grid.crs.to_wkt() == CRS.to_wkt()
        assert task.when == numpy.datetime64("2024-02-22")


class WrittenByHand(Task):
    """Has the area as text, as a writer in another language may."""

    area: str

    @staticmethod
    def identifier() -> tuple[str, str]:
        return "Area", "v1.0"


class Area(Task):
    """Needs a polygon."""

    area: shapely.Polygon

    @staticmethod
    def identifier() -> tuple[str, str]:
        return "Area", "v1.0"

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = f"{self.area.area:.0f}"


def outcome(client: Client, job: Job) -> tuple[str, str]:
    """Give the display of the only task, and the last line of its error."""
    (task,) = all_tasks(client, job)
    (attempt,) = task.attempts
    return task.display, (attempt.error or "").strip().rpartition("\n")[2]


@pytest.mark.clause("2.task-4")
def test_what_cannot_be_read_fails_its_task_alone(client: Client, cluster: Cluster) -> None:
    """A text that is no polygon fails its task by one sentence; WKT of one is read."""
    jobs = [
        client.jobs().submit("hand", WrittenByHand(text))
        for text in ("POINT (1 2)", "somewhere", "POLYGON ((0 0, 2 0, 2 2, 0 2, 0 0))")
    ]

    client.runner(tasks=[Area]).run_all()

    point, nowhere, polygon = (outcome(client, job) for job in jobs)
    start = "Failed to deserialize input of task Area: field 'area': "
    assert point[1].endswith(
        f"{start}expected a Polygon, got a Point (submitted as Area v1.0, registered as Area v1.0)."
    )
    assert f"{start}'somewhere' is neither WKB in hexadecimal nor WKT (ParseException" in nowhere[1]
    assert polygon == ("4", "")


@pytest.mark.clause("2.task-4")
def test_what_does_not_fit_is_refused_by_submit(client: Client, cluster: Cluster) -> None:
    """A wrong value and a geometry above the limit are refused before anything is stored."""
    with pytest.raises(ArgumentError, match=r"^Task Area: the field 'area' cannot be stored: .* back as a Point\.$"):
        client.jobs().submit("point", Area(shapely.Point(1, 2)))  # type: ignore[arg-type] # the mistake under test

    with pytest.raises(ArgumentError, match="TILEBOX_CELERY_MAX_INPUT_BYTES"):
        client.jobs().submit("big", Area(shapely.Point(0, 0).buffer(1, quad_segs=10_000)))
