"""What people see of the demo: tree, workers, pictures and lines, on terminals of any size and on none."""

import re
from collections import Counter
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from rich.color import ColorTriplet
from rich.console import Console

from tilebox_celery.caches import InMemoryCache
from tilebox_celery.demo import workflow
from tilebox_celery.demo.expected import whole_mosaic
from tilebox_celery.demo.preview import Preview, half_blocks, picture_lines
from tilebox_celery.demo.scene import scene_grid
from tilebox_celery.demo.screen import LineScreen, LiveScreen, open_screen
from tilebox_celery.demo.snapshot import STAGES, Snapshot
from tilebox_celery.model.identifiers import TaskIdentifier
from tilebox_celery.model.job import Attempt, TaskView
from tilebox_celery.model.states import JobState, TaskState

COMPUTED, RUNNING, QUEUED = TaskState.COMPUTED, TaskState.RUNNING, TaskState.QUEUED


def task(kind: str, state: TaskState, *outcomes: str) -> TaskView:
    """A task as clients see it."""
    now = datetime.now(UTC)
    attempts = [Attempt(number, "runner", now, outcome=outcome) for number, outcome in enumerate(outcomes, 1)]
    return TaskView(uuid4(), TaskIdentifier(f"demo/{kind}", "v1.0"), kind, state, "demo", now, attempts=attempts)


def in_mid_mosaic() -> Snapshot:
    """Four strips are done, one of them at the second attempt; one runs."""
    tasks = [task(kind, COMPUTED) for kind in ("ProcessScene", "MosaicScene")]
    tasks += [task("ReadQuadrant", COMPUTED) for _ in range(4)]
    tasks += [task("MosaicStrip", COMPUTED, "lost", "computed"), *(task("MosaicStrip", COMPUTED) for _ in range(3))]
    tasks += [task("MosaicStrip", RUNNING), *(task("MosaicStrip", QUEUED) for _ in range(4))]
    return Snapshot(JobState.RUNNING, [*tasks, task("ClassifyScene", QUEUED), task("JoinScene", QUEUED)])


def terminal(width: int, height: int, **options: object) -> Console:
    """A colour terminal of some size that remembers what it shows."""
    return Console(
        file=StringIO(), force_terminal=True, color_system="truecolor", width=width, height=height, **options
    )


def shown(console: Console) -> str:
    """What a console was sent."""
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def stripped(text: str) -> str:
    """Text without control sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def stage(kind: str):
    """A stage by the name of its class."""
    return next(each for each in STAGES if each.kind == kind)


def test_stage_is_complete_when_nothing_can_join_it() -> None:
    """A stage with computed tasks only is complete if the stage that submits them is, and not before."""
    early = Snapshot(JobState.RUNNING, [task("ProcessScene", COMPUTED), task("ClassifyScene", COMPUTED)])
    strips = [task("ClassifyStrip", COMPUTED), task("ClassifyStrip", RUNNING)]
    half = Snapshot(JobState.RUNNING, [*early.tasks, *strips, task("ClassifyTile", COMPUTED)])

    assert early.is_complete(stage("ClassifyScene"))
    assert not early.is_complete(stage("ClassifyStrip"))
    assert not half.is_complete(stage("ClassifyTile"))


def test_snapshot_counts_what_came_to_nothing() -> None:
    """Failed and lost attempts are told apart, and counted by stage."""
    snapshot = in_mid_mosaic()

    assert len(snapshot.repeated) == 1
    assert snapshot.failed_attempts == []
    assert snapshot.retries(stage("MosaicStrip")) == 1
    assert snapshot.states(stage("MosaicStrip")) == Counter({COMPUTED: 4, RUNNING: 1, QUEUED: 4})
    assert len(snapshot.uncomputed) == 7


@pytest.mark.parametrize(("width", "height"), [(80, 24), (150, 45), (60, 24), (80, 12)])
def test_live_tree_fits_the_terminal(width: int, height: int) -> None:
    """The tree shows counts and repeats on terminals of any size, and no line of it is wider than the terminal."""
    console = terminal(width, height)

    with LiveScreen(console) as screen:
        screen.tell("kill -9", "red")
        screen.show(in_mid_mosaic(), [], Preview(InMemoryCache()))

    lines = stripped(shown(console)).splitlines()
    assert [line.rstrip() for line in lines if "1 again" in line][-1] == "│  └─ Strips    █████▓▓░░░░░   4/9   1 again"
    assert any("kill -9" in line for line in lines)
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize(
    ("console", "draws"),
    [(terminal(80, 24), True), (terminal(80, 24, no_color=True), False), (terminal(60, 24), False)],
    ids=["colour", "no colour", "narrow"],
)
def test_picture_needs_colours_and_room(console: Console, draws: bool) -> None:
    """The scene is drawn beside the tree on a colour terminal that has room for it, and nowhere else."""
    screen = LiveScreen(console)

    with screen:
        screen.show(in_mid_mosaic(), [], Preview(InMemoryCache()))

    assert ("▀" in shown(console)) == draws


def test_lines_where_there_is_no_terminal() -> None:
    """Without a terminal each event and each completed stage is one plain line, once."""
    console = Console(file=StringIO(), width=40)
    screen = open_screen(console)

    with screen:
        for _ in range(2):
            screen.show(in_mid_mosaic(), [], Preview(InMemoryCache()))
        screen.tell("a long event that [no] terminal of 40 columns has room for", "red")

    assert isinstance(screen, LineScreen)
    assert [line.partition(" s  ")[2] for line in shown(console).splitlines()] == [
        "MosaicScene: 1 computed",
        "ReadQuadrant: 4 computed",
        "a long event that [no] terminal of 40 columns has room for",
    ]


def test_half_blocks_draw_two_pixels_a_cell() -> None:
    """A character cell has the upper pixel in front and the lower one behind."""
    image = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [9, 9, 9]]], np.uint8)

    text = half_blocks(image, 2)

    assert text.plain == "▀▀"
    styles = [span.style for span in text.spans]
    assert [style.color.triplet for style in styles] == [ColorTriplet(255, 0, 0), ColorTriplet(0, 255, 0)]
    assert [style.bgcolor.triplet for style in styles] == [ColorTriplet(0, 0, 255), ColorTriplet(9, 9, 9)]


def test_half_blocks_keep_proportions() -> None:
    """The scene takes about half as many lines as columns times its proportions."""
    image = np.zeros((718, 791, 3), np.uint8)

    assert picture_lines(image, 60) == 27
    assert len(half_blocks(image, 60).plain.splitlines()) == 27


def test_preview_fills_up() -> None:
    """A strip appears when it is in the job cache, and a tile turns into its classes when it is counted."""
    cache, grid = InMemoryCache(), scene_grid()
    preview = Preview(cache)
    nothing = preview.update().copy()

    workflow.save(cache, "mosaic/4", whole_mosaic()[:, grid.strip_rows(4)])
    with_strip = preview.update().copy()
    workflow.save(cache, "classes/04-05", np.full((80, 80), 2, np.uint8))
    cache["statistics/04-05"] = b"{}"
    with_tile = preview.update().copy()

    changed = np.flatnonzero((with_strip != nothing).any(axis=(1, 2)))
    assert (changed.min(), changed.max()) == (320, 399)
    assert (with_tile != with_strip).any(axis=2).sum() > 6000
    assert np.array_equal(with_tile[320:400, 400:480].reshape(-1, 3).max(axis=0), [38, 126, 196])


def test_sources_are_beside_the_scene() -> None:
    """The provenance of the scene is part of the package."""
    folder = Path(workflow.__file__).parent / "data"

    assert "BSD-3-Clause" in (folder / "SOURCES.md").read_text()
