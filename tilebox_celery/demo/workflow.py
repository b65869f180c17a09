"""The workflow of the demo: quadrants -> strips of the mosaic -> tiles -> one map, through the job cache.

    ProcessScene
    ├── MosaicScene      ReadQuadrant x 4, then MosaicStrip x 9
    ├── ClassifyScene    ClassifyStrip x 9, each with ClassifyTile x 10, once the mosaic is complete
    └── JoinScene        WriteMosaic, WriteClasses, DrawPicture and WriteReport, once all tiles are

Each task writes keys of its own, whole and always with the same bytes, so that running it again changes nothing.
"""

import io
import json
import time
from dataclasses import asdict

import numpy as np

from tilebox_celery.demo import classes as colours
from tilebox_celery.demo.picture import draw_picture
from tilebox_celery.demo.results import (
    CLASSES,
    MOSAIC,
    PICTURE,
    REPORT,
    classes_geotiff,
    mosaic_geotiff,
    report,
)
from tilebox_celery.demo.scene import (
    QUADRANTS,
    Pixels,
    lay_over,
    quadrant_places,
    read_quadrant,
    scene_grid,
)
from tilebox_celery.model.context import TaskCache
from tilebox_celery.workflows import ExecutionContext, Task

FLAKY_TILE = (4, 5)
"""Strip and column of the tile whose first attempt fails on purpose."""


class FlakyTile(RuntimeError):
    """Raised on purpose by the first attempt of one tile."""


class DemoTask(Task):
    """What the tasks of the demo have in common.

    Args:
        pace: Seconds to rest before working. The work itself takes a millisecond, too short to watch.
    """

    pace: float

    @classmethod
    def identifier(cls) -> tuple[str, str]:
        """Keep clear of classes with the same name in other workflows of the cluster."""
        return f"demo/{cls.__name__}", "v1.0"


class ProcessScene(DemoTask):
    """The root: mosaic, then classes, then files."""

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = "Process scene"
        mosaic = context.submit_subtask(MosaicScene(self.pace))
        tiles = context.submit_subtask(ClassifyScene(self.pace), depends_on=mosaic)
        context.submit_subtask(JoinScene(self.pace), depends_on=tiles)


class MosaicScene(DemoTask):
    """Put the quadrants together, one strip a task."""

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = "Mosaic"
        grid = scene_grid()
        context.progress("mosaic").add(grid.strips)
        quadrants = context.submit_subtasks([ReadQuadrant(self.pace, number) for number in QUADRANTS])
        strips = [MosaicStrip(2 * self.pace, strip) for strip in range(grid.strips)]
        context.submit_subtasks(strips, depends_on=quadrants)


class ReadQuadrant(DemoTask):
    """Read one GeoTIFF and leave its pixels for the strips."""

    number: int

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = f"Quadrant {self.number}"
        time.sleep(self.pace)
        save(context.job_cache, f"quadrants/{self.number}", read_quadrant(self.number))


class MosaicStrip(DemoTask):
    """Lay the parts of the quadrants that cross a strip over each other."""

    strip: int

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = f"Strip {self.strip}"
        time.sleep(self.pace)
        grid, rows = scene_grid(), scene_grid().strip_rows(self.strip)
        mosaic = np.zeros((3, rows.stop - rows.start, grid.width), np.uint8)
        for number, place in quadrant_places().items():
            top, bottom = max(rows.start, place.row), min(rows.stop, place.row + place.height)
            if top >= bottom:
                continue
            part = load(context.job_cache, f"quadrants/{number}")[:, top - place.row : bottom - place.row]
            window = mosaic[:, top - rows.start : bottom - rows.start, place.column : place.column + place.width]
            window[:] = lay_over(window, part)
        save(context.job_cache, f"mosaic/{self.strip}", mosaic)
        context.progress("mosaic").done()


class ClassifyScene(DemoTask):
    """Spread the tiles over one task a strip, since a task may have 64 subtasks and there are more tiles."""

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = "Classify"
        context.submit_subtasks([ClassifyStrip(self.pace, strip) for strip in range(scene_grid().strips)])


class ClassifyStrip(DemoTask):
    """Submit the tiles of one strip."""

    strip: int

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = f"Tiles of strip {self.strip}"
        columns = scene_grid().columns
        context.progress("tiles").add(columns)
        tiles = [ClassifyTile(self.pace / 4, self.strip, column) for column in range(columns)]
        context.submit_subtasks(tiles, max_retries=1)


class ClassifyTile(DemoTask):
    """Classify and count the pixels of one tile."""

    strip: int
    column: int

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = f"Tile {self.strip}/{self.column}"
        time.sleep(self.pace)
        if (self.strip, self.column) == FLAKY_TILE and context.current_task.retry_count == 0:
            raise FlakyTile("fails once, on purpose")
        strip = load(context.job_cache, f"mosaic/{self.strip}")
        pixels = strip[:, :, scene_grid().tile_columns(self.column)]
        classes = colours.classify(pixels)
        name = tile_name(self.strip, self.column)
        save(context.job_cache, f"classes/{name}", classes)
        statistics = colours.count(pixels, classes)
        context.job_cache[f"statistics/{name}"] = json.dumps(asdict(statistics)).encode()
        context.progress("tiles").done()


class JoinScene(DemoTask):
    """Put the tiles together again and have all files written."""

    def execute(self, context: ExecutionContext) -> None:
        context.current_task.display = "Join"
        time.sleep(self.pace)
        cache, grid = context.job_cache, scene_grid()
        classes = np.zeros((grid.height, grid.width), np.uint8)
        for strip, column in grid.tiles:
            window = classes[grid.strip_rows(strip), grid.tile_columns(column)]
            window[:] = load(cache, f"classes/{tile_name(strip, column)}")
        strips = [load(cache, f"mosaic/{strip}") for strip in range(grid.strips)]
        save(cache, "joined/classes", classes)
        save(cache, "joined/mosaic", np.concatenate(strips, axis=1))
        files = (WriteMosaic(self.pace), WriteClasses(self.pace), DrawPicture(self.pace), WriteReport(self.pace))
        context.progress("files").add(len(files))
        context.submit_subtasks(files)


class WriteMosaic(DemoTask):
    """Write the scene as a GeoTIFF."""

    def execute(self, context: ExecutionContext) -> None:
        mosaic = load(context.job_cache, "joined/mosaic")
        write(context, MOSAIC, mosaic_geotiff(scene_grid(), mosaic))


class WriteClasses(DemoTask):
    """Write the classes as a GeoTIFF."""

    def execute(self, context: ExecutionContext) -> None:
        classes = load(context.job_cache, "joined/classes")
        write(context, CLASSES, classes_geotiff(scene_grid(), classes))


class DrawPicture(DemoTask):
    """Draw scene and classes side by side."""

    def execute(self, context: ExecutionContext) -> None:
        cache = context.job_cache
        whole = colours.add(tile_statistics(cache).values())
        picture = draw_picture(scene_grid(), load(cache, "joined/mosaic"), load(cache, "joined/classes"), whole)
        write(context, PICTURE, picture)


class WriteReport(DemoTask):
    """Write the numbers."""

    def execute(self, context: ExecutionContext) -> None:
        cache = context.job_cache
        tiles = tile_statistics(cache)
        mosaic, classes = load(cache, "joined/mosaic"), load(cache, "joined/classes")
        write(context, REPORT, report(scene_grid(), mosaic, classes, colours.add(tiles.values()), tiles))


TASKS: tuple[type[DemoTask], ...] = (
    ProcessScene,
    MosaicScene,
    ReadQuadrant,
    MosaicStrip,
    ClassifyScene,
    ClassifyStrip,
    ClassifyTile,
    JoinScene,
    WriteMosaic,
    WriteClasses,
    DrawPicture,
    WriteReport,
)


def tile_name(strip: int, column: int) -> str:
    """Name a tile so that names sort as tiles lie."""
    return f"{strip:02}-{column:02}"


def tile_statistics(cache: TaskCache) -> dict[str, colours.Statistics]:
    """Read the statistics of all tiles, by name."""
    group = cache.group("statistics")
    return {name: colours.Statistics.from_json(json.loads(group[name])) for name in sorted(group)}


def write(context: ExecutionContext, name: str, data: bytes) -> None:
    """Leave a file for the user in the job cache."""
    context.current_task.display = name
    context.job_cache[f"files/{name}"] = data
    context.progress("files").done()


def save(cache: TaskCache, key: str, pixels: Pixels) -> None:
    """Write an array into the cache."""
    buffer = io.BytesIO()
    np.save(buffer, pixels)
    cache[key] = buffer.getvalue()


def load(cache: TaskCache, key: str) -> Pixels:
    """Read an array from the cache."""
    pixels: Pixels = np.load(io.BytesIO(cache[key]))
    return pixels
