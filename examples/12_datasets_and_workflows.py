"""12: a workflow that measures the new scenes of one dataset and stores its results in another one.

Run it as often as you like, on as many workers as you like, and kill what you like: each scene is measured, and its
result is there once. The metadata are real STAC items of Landsat 9; their pixels here are the quadrants of a smaller
Landsat scene, since a whole one has a gigabyte. It needs ``tilebox-celery[datasets,storage,demo]``.
"""

import json
import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import numpy as np
import rasterio

from tilebox_celery.datasets import Client as DatasetsClient
from tilebox_celery.storage import LocalFileSystemStorageClient
from tilebox_celery.workflows import Client, ExecutionContext, Task

SCENES, RESULTS = "example.scenes", "example.results"
ITEMS = Path(__file__).parents[1] / "tests" / "data" / "stac" / "landsat-c2-l2.json"

# Made once, for all tasks: they connect when they are used, and may be used in threads and after a fork.
datasets = DatasetsClient()
storage = LocalFileSystemStorageClient(".", cache_directory="cache")


class MeasureNewScenes(Task):
    """Find the scenes of some time that have no result yet, and measure each in a subtask."""

    start: str
    end: str
    max_subtasks: ClassVar[int | None] = None  # as many as there are scenes

    def execute(self, context: ExecutionContext) -> None:
        during = (self.start, self.end)
        scenes = datasets.dataset(SCENES).collection("L2SP").load(during, skip_data=True)
        results = datasets.dataset(RESULTS).collection("v1").load(during)
        # What is there decides, no note of the last run: scenes that came late are found, and a killed run is no gap.
        measured = set(results["scene_id"].to_numpy()) if results.sizes else set()
        new = [scene for scene in scenes["id"].to_numpy() if scene not in measured] if scenes.sizes else []
        context.submit_subtasks([MeasureScene(UUID(scene)) for scene in new], max_retries=3)
        context.current_task.display = f"{len(new)} new scenes" if new else "no new scenes"


class MeasureScene(Task):
    """Download a scene, measure it, store the result."""

    scene_id: UUID

    def execute(self, context: ExecutionContext) -> None:
        scene = datasets.dataset(SCENES).collection("L2SP").find(self.scene_id)
        product = storage.download(scene)  # at its place when it is complete; shared by all workers of a machine
        result = {"time": scene["time"].values, "scene_id": self.scene_id, **measure(product / "visual.tif")}
        # The id of a datapoint follows from its values. They follow from the scene alone, not from a clock or from the
        # worker, so that storing a result again, after a kill, changes nothing.
        datasets.dataset(RESULTS).collection("v1").ingest([result])
        context.current_task.display = str(scene["granule_name"].item())


def measure(path: Path) -> dict[str, Any]:
    """Count the pixels of an image, and take the mean of each band over those that are not empty."""
    with rasterio.open(path) as file:
        pixels = file.read()
    valid, bright = pixels.max(axis=0) > 0, pixels.min(axis=0) >= 100
    return {
        "valid_pixels": int(valid.sum()),
        "bright_pixels": int(bright.sum()),
        "band_means": [round(float(np.mean(band[valid])), 3) for band in pixels],
    }


def deliver(count: int) -> None:
    """Do what a provider does: put the products of the first scenes into an archive, and publish their metadata."""
    items = json.loads(ITEMS.read_text())["features"][:count]
    for number, item in enumerate(items, 1):
        image = Path("archive", item["id"], "visual.tif")
        image.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(files("tilebox_celery.demo") / "data" / f"rgb{number}.tif"), image)
        item["assets"] = {"visual": {"href": str(image)}}
    fields = [("granule_name", str), ("cloud_cover", float), ("location", str)]
    scenes = datasets.create_or_update_dataset("spatiotemporal", SCENES, fields)
    scenes.get_or_create_collection("L2SP").ingest(items)


def create_results() -> None:
    """Make the dataset of results: a collection for each version of `measure`."""
    fields = [("scene_id", UUID), ("valid_pixels", int), ("bright_pixels", int), ("band_means", list[float])]
    datasets.create_or_update_dataset("temporal", RESULTS, fields).get_or_create_collection("v1")


client = Client()
runner = client.runner(tasks=[MeasureNewScenes, MeasureScene])
app = runner.celery_app  # celery -A 12_datasets_and_workflows:app worker

if __name__ == "__main__":
    create_results()
    for count in (2, 4, 4):  # two scenes, then two more, then nothing new
        deliver(count)
        job = client.jobs().submit("measure", MeasureNewScenes("2024-04-01", "2024-05-01"))
        runner.run_all()
        for root in client.jobs().tasks(job):
            print(root.display, *(child.display for child in root.children), sep="\n  ")
    results = datasets.dataset(RESULTS).collection("v1").load(("2024-04-01", "2024-05-01"))
    print(results[["valid_pixels", "bright_pixels", "band_means"]].drop_vars(["id", "ingestion_time"]))
    datasets.close()
