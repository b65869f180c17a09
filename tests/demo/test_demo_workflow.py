"""The workflow of the demo computes what plain numpy computes from the whole scene."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from tilebox_celery.client.client import Client
from tilebox_celery.demo import expected, results, workflow
from tilebox_celery.demo.classes import ColourClass, Statistics, add, classify, count
from tilebox_celery.demo.scene import QUADRANTS, lay_over, quadrant_path, scene_grid
from tilebox_celery.demo.snapshot import STAGES, kind
from tilebox_celery.model.cluster import Cluster
from tilebox_celery.model.job import TaskView
from tilebox_celery.model.states import JobState
from tilebox_celery.workflows.cache import LocalFileSystemCache

SCENE = Path(__file__).parents[1] / "data" / "raster" / "RGB.byte.tif"


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """The scene as it was before it was cut into quadrants."""
    with rasterio.open(SCENE) as file:
        return file.read()


def oracle_classes(scene: np.ndarray) -> np.ndarray:
    """Classes by another formula than that of the package."""
    red, green, blue = scene.astype(int)
    darkest = np.minimum(np.minimum(red, green), blue)
    return np.select([red + green + blue == 0, darkest >= 100, blue > np.maximum(red, green)], [0, 1, 2], 3)


@pytest.fixture(scope="module")
def expected_files() -> dict[str, bytes]:
    """What one process computes."""
    return expected.expected_files()


def test_quadrants_are_unchanged() -> None:
    """Each quadrant has the digest that SOURCES.md states."""
    from hashlib import sha256

    sources = (quadrant_path(1).parent / "SOURCES.md").read_text()

    for number in QUADRANTS:
        assert sha256(quadrant_path(number).read_bytes()).hexdigest() in sources


def test_mosaic_is_the_scene(scene: np.ndarray, expected_files: dict[str, bytes]) -> None:
    """The GeoTIFF of the mosaic has the pixels, the place and the nodata value of the uncut scene."""
    with rasterio.open(BytesIO(expected_files[results.MOSAIC])) as mosaic, rasterio.open(SCENE) as whole:
        assert np.array_equal(mosaic.read(), scene)
        assert mosaic.crs == whole.crs
        assert mosaic.transform.almost_equals(whole.transform)
        assert mosaic.nodata == whole.nodata


def test_classes_are_those_of_the_oracle(scene: np.ndarray, expected_files: dict[str, bytes]) -> None:
    """The GeoTIFF of the classes has the value of the oracle in each pixel, and a colour for each value."""
    with rasterio.open(BytesIO(expected_files[results.CLASSES])) as file:
        assert np.array_equal(file.read(1), oracle_classes(scene))
        colours = file.colormap(1)

    assert {each.value: colours[each.value][:3] for each in ColourClass} == {
        each.value: each.colour for each in ColourClass
    }


def test_report_states_areas_and_means(scene: np.ndarray, expected_files: dict[str, bytes]) -> None:
    """The report has pixels and km² by class and the mean of each band, as numpy finds them in the uncut scene."""
    report = json.loads(expected_files[results.REPORT])

    classes = oracle_classes(scene)
    for each in ColourClass:
        pixels = int((classes == each.value).sum())
        assert report["classes"][each.label] == {"pixels": pixels, "km2": pytest.approx(pixels * 0.0900239, rel=1e-4)}
    means = scene[:, classes != 0].mean(axis=1)
    assert list(report["band_means"].values()) == pytest.approx(means, abs=1e-4)


def test_report_adds_up(expected_files: dict[str, bytes]) -> None:
    """The tiles of the report cover the scene once."""
    report = json.loads(expected_files[results.REPORT])

    for name, whole in report["classes"].items():
        assert sum(tile["classes"][name]["pixels"] for tile in report["tiles"].values()) == whole["pixels"]
    assert len(report["tiles"]) == len(list(scene_grid().tiles))


def test_picture_shows_scene_and_classes(scene: np.ndarray, expected_files: dict[str, bytes]) -> None:
    """The PNG holds the scene and its class map side by side at full size, unless a pixel is nodata."""
    picture = np.asarray(Image.open(BytesIO(expected_files[results.PICTURE])))

    grid, classes = scene_grid(), oracle_classes(scene)
    left, right, top = 36, 36 + grid.width + 28, 104
    shown = picture[top : top + grid.height, left : left + grid.width]
    assert np.array_equal(shown[classes != 0], scene.transpose(1, 2, 0)[classes != 0])
    palette = np.array([each.colour for each in ColourClass])
    assert np.array_equal(picture[top : top + grid.height, right : right + grid.width], palette[classes])


def test_upper_pixels_fill_only_holes() -> None:
    """Where quadrants overlap, pixels that are there stay, and only nodata is filled."""
    below, above = np.array([[1, 0, 0]], np.uint8), np.array([[9, 9, 0]], np.uint8)

    assert lay_over(below, above).tolist() == [[1, 9, 0]]


def test_nodata_wins_over_other_classes() -> None:
    """Black pixels are nodata, bright ones bright even if blue, and dark blue ones blue."""
    pixels = np.array([[0, 0, 0], [100, 101, 255], [99, 101, 255], [0, 0, 1], [9, 9, 9]], np.uint8).T[:, None]

    assert classify(pixels).tolist() == [[0, 1, 2, 2, 3]]


def test_statistics_do_not_depend_on_the_cut(scene: np.ndarray) -> None:
    """Statistics of parts add up to those of the whole, in any order; of nothing they are zero."""
    whole = count(scene, classify(scene))
    parts = [count(part, classify(part)) for part in np.array_split(scene, 7, axis=2)]

    assert add(reversed(parts)) == whole
    assert add([]).band_means == (0.0, 0.0, 0.0)
    assert whole.valid == whole.total - whole.pixels[0]
    assert Statistics.from_json({"pixels": [1, 2, 3, 4], "band_sums": [5, 6, 7]}).total == 10


def test_workflow_makes_the_expected_files(
    client: Client, cluster: Cluster, tmp_path: Path, expected_files: dict[str, bytes]
) -> None:
    """Cut into tiles and joined again, the scene gives the same bytes; the flaky tile fails once and runs again."""
    cache = LocalFileSystemCache(tmp_path)

    job = client.jobs().submit("demo", workflow.ProcessScene(0.0), cluster)
    client.runner(cluster, tasks=workflow.TASKS, cache=cache).run_all()

    done = client.jobs().find(job)
    assert done.state is JobState.COMPLETED
    assert {(bar.label, bar.done, bar.total) for bar in done.progress} == {
        ("mosaic", 9, 9),
        ("tiles", 90, 90),
        ("files", 4, 4),
    }
    files = cache.group(str(job.id)).group("files")
    assert {name: files[name] for name in files} == expected_files
    tasks = list(client.jobs().iter_tasks(job))
    assert {kind(task) for task in tasks} == {stage.kind for stage in STAGES}
    assert [task.display for task in tasks if outcomes(task) != ["computed"]] == ["Tile 4/5"]
    assert next(outcomes(task) for task in tasks if task.display == "Tile 4/5") == ["failed", "computed"]


def outcomes(task: TaskView) -> list[str | None]:
    """How each attempt ended."""
    return [attempt.outcome for attempt in task.attempts]
