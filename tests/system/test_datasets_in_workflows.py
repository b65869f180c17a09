"""A job from one dataset to another is killed anywhere: each result is stored once, each product is whole."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import rasterio
from dying import LINES
from fleet import Fleet, until
from measuring import load_example

from tilebox_celery import faults
from tilebox_celery.demo.classes import ColourClass, classify, count
from tilebox_celery.demo.scene import quadrant_path
from tilebox_celery.workflows import Client

pytestmark = pytest.mark.system

HERE = Path(__file__).parent
APRIL = ("2024-04-01", "2024-05-01")
POINTS = [*LINES, *(point for point in faults.POINTS if point != "before_wake_up")]  # without a message none is reached
SOONER = "update tbx.tasks set run_after = now() - interval '1 second' where phase = 'd' returning 1"
"""A task whose process died is run again after a pause, which grows."""


@pytest.fixture
def example(fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """examples/12 with four scenes in its archive, and no results yet."""
    folder = tmp_path / "measured"
    for each in (folder, tmp_path / "deaths"):
        each.mkdir()
    fleet.environment |= {
        "MEASURED": str(folder),
        "DEATHS": str(tmp_path / "deaths"),
        "TILEBOX_CELERY_FAULT_DIR": str(tmp_path / "deaths"),
        "DIE_BEFORE": "",
    }
    monkeypatch.chdir(folder)
    module = load_example()
    module.create_results()
    module.deliver(4)
    yield module
    module.datasets.close()
    module.client.close()


def measure_in(fleet: Fleet, pool: str, **variables: str) -> Any:
    """Start a worker for the example, which may die before it is ready."""
    return fleet.launch([sys.executable, str(HERE / "measuring.py"), "--pool", pool], **variables)


def check(example: ModuleType, fleet: Fleet, folder: Path) -> None:
    """See that the results are those of a computation without tasks, once each, and that the cache is whole."""
    results = example.datasets.dataset(example.RESULTS).collection("v1")
    data = results.load(APRIL)
    scenes = example.datasets.dataset(example.SCENES).collection("L2SP").load(APRIL)
    assert data["scene_id"].to_numpy().tolist() == scenes["id"].to_numpy().tolist()
    assert results.info().count == 4
    # the first item of the file is the last in time
    for place, number in enumerate((4, 3, 2, 1)):
        with rasterio.open(quadrant_path(number)) as file:
            pixels = file.read()
        expected = count(pixels, classify(pixels))
        assert data["valid_pixels"].to_numpy()[place] == expected.valid
        assert data["bright_pixels"].to_numpy()[place] == expected.pixels[ColourClass.BRIGHT]
        np.testing.assert_allclose(data["band_means"].to_numpy()[place], expected.band_means, atol=5.1e-4)
        product = folder / "cache" / "archive" / str(scenes["granule_name"].to_numpy()[place])
        assert [each.name for each in product.iterdir()] == ["visual.tif"]
        assert (product / "visual.tif").read_bytes() == quadrant_path(number).read_bytes()
    assert sorted(each.name for each in (folder / "cache").iterdir()) == [".tilebox", "archive"]
    assert len(list((folder / "cache" / "archive").iterdir())) == 4
    assert [each.suffix for each in (folder / "cache" / ".tilebox").iterdir()] == [".json"] * 4  # nothing half done
    fleet.check_ledger()


def run(example: ModuleType, fleet: Fleet, client: Client, points: list[str], pool: str = "prefork") -> None:
    """Measure with a death at each point, and check the results and a second run."""
    lines = [point for point in points if point in LINES]
    seams = ",".join(f"{point}:1:kill" for point in points if point not in lines)
    deaths = Path(fleet.environment["DEATHS"])
    mortal = {"DIE_BEFORE": ";".join(lines), "TILEBOX_CELERY_FAULT": seams}
    workers = [measure_in(fleet, pool, **mortal)]
    job = client.jobs().submit("measure", example.MeasureNewScenes(*APRIL))

    def is_done() -> bool:
        if workers[-1].poll() is not None:  # threads and solo die with their tasks: somebody starts the worker again
            workers.append(measure_in(fleet, pool, **mortal))
        fleet.query(SOONER)
        return client.jobs().find(job).state not in ("SUBMITTED", "STARTED", "RUNNING")

    until(is_done, 60)

    assert client.jobs().find(job).state == "COMPLETED", fleet.logged()[-3000:]
    assert len(list(deaths.iterdir())) == len(points), sorted(each.name for each in deaths.iterdir())
    check(example, fleet, deaths.parent / "measured")
    again = client.jobs().submit("again", example.MeasureNewScenes(*APRIL))
    until(lambda: workers[-1].poll() is None and client.jobs().find(again).state == "COMPLETED")
    (root,) = client.jobs().tasks(again)
    assert (root.display, list(root.children)) == ("no new scenes", [])
    check(example, fleet, deaths.parent / "measured")


def test_kills_at_every_point_of_one_job(example: ModuleType, fleet: Fleet, client: Client) -> None:
    """Pool children die once at each point of the engine, of the storage client, of the ingest and of the tasks."""
    run(example, fleet, client, POINTS)


@pytest.mark.parametrize(
    ("pool", "point"),
    [
        ("prefork", "between download and ingest"),
        ("threads", "in the ingest, before its commit"),
        ("solo", "after the ingest, before the report"),
    ],
)
def test_a_kill_in_any_pool(example: ModuleType, fleet: Fleet, client: Client, pool: str, point: str) -> None:
    """A pool child, or the whole worker where tasks run in it, dies while it stores a result."""
    run(example, fleet, client, [point], pool)


def test_a_killed_worker_leaves_the_rest_to_the_next(example: ModuleType, fleet: Fleet, client: Client) -> None:
    """kill -9 of a worker with all its slots as soon as it stores something: another worker ends the job."""
    worker = measure_in(fleet, "prefork")
    job = client.jobs().submit("measure", example.MeasureNewScenes(*APRIL))
    until(lambda: list(Path("cache").glob("archive/*")))

    worker.kill()
    measure_in(fleet, "prefork")

    assert job.wait(60).state == "COMPLETED"
    check(example, fleet, Path.cwd())


@pytest.mark.long
@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_each_point(example: ModuleType, fleet: Fleet, client: Client, pool: str, point: str) -> None:
    """One death alone, in each pool."""
    run(example, fleet, client, [point], pool)
