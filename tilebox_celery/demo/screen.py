"""Show a run of the demo while it goes on: a live tree and picture on a terminal, plain lines elsewhere."""

from collections.abc import Sequence
from time import monotonic
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from tilebox_celery.demo.preview import Preview, half_blocks, picture_lines
from tilebox_celery.demo.snapshot import STAGES, Snapshot, Stage, kind
from tilebox_celery.demo.workers import Worker
from tilebox_celery.model.states import TaskState

_BAR = 12
_NAME = 16
_TREE_COLUMNS = _NAME + _BAR + 16
_PICTURE_COLUMNS, _LEAST_COLUMNS = 60, 20
_EVENTS = 3
_STATES = (
    (TaskState.COMPUTED, "█", "green"),
    (TaskState.RUNNING, "▓", "yellow"),
    (TaskState.FAILED, "█", "red"),
    (TaskState.QUEUED, "░", "bright_black"),
)


class Screen(Protocol):
    """Where a run of the demo is shown."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def tell(self, event: str, style: str = "") -> None:
        """Say what happened."""

    def show(self, snapshot: Snapshot, workers: Sequence[Worker], preview: Preview) -> None:
        """Show how far the job is."""


def open_screen(console: Console) -> Screen:
    """Return the screen that fits where the output goes."""
    return LiveScreen(console) if console.is_terminal and not console.is_dumb_terminal else LineScreen(console)


class LineScreen:
    """One line an event, and one for each stage that is done."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begin = monotonic()
        self._done: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def tell(self, event: str, style: str = "") -> None:
        """Print an event."""
        line = f"{_clock(monotonic() - self._begin)}  {event}"
        self._console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)

    def show(self, snapshot: Snapshot, workers: Sequence[Worker], preview: Preview) -> None:
        """Print what is done since the last time."""
        for stage in STAGES[1:]:
            if stage.kind not in self._done and snapshot.is_complete(stage):
                self._done.add(stage.kind)
                self.tell(f"{stage.kind}: {snapshot.states(stage).total()} computed")


class LiveScreen:
    """A tree of stages that fills up, beside the scene as far as it is computed."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begin = monotonic()
        self._spinner = Spinner("dots", style="yellow")
        self._events: list[Text] = []
        self._tree: RenderableType = Text()
        self._picture: Text | None = None
        self._has_ended = False
        self._live = Live(console=console, refresh_per_second=8, get_renderable=self._render)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._has_ended = True
        self._live.__exit__(kind, error, trace)

    def tell(self, event: str, style: str = "") -> None:
        """Add an event below the tree."""
        clock = f"{_clock(monotonic() - self._begin)}  "
        self._events.append(
            Text(clock, "bright_black", no_wrap=True, overflow="ellipsis").append(event, style or "default")
        )

    def show(self, snapshot: Snapshot, workers: Sequence[Worker], preview: Preview) -> None:
        """Draw the tree, the workers and the scene."""
        image = preview.update()
        columns = min(_PICTURE_COLUMNS, self._console.width - _TREE_COLUMNS - 1)
        while columns >= _LEAST_COLUMNS and picture_lines(image, columns) > self._console.height - _EVENTS - 3:
            columns -= 1
        fits = columns >= _LEAST_COLUMNS and has_colours(self._console)
        self._picture = half_blocks(image, columns) if fits else None
        self._tree = Group(*(_stage_line(snapshot, stage) for stage in STAGES), *_worker_lines(snapshot, workers))
        self._live.refresh()

    def _render(self) -> RenderableType:
        if self._has_ended:  # what stays: all that happened; larger pictures follow
            return Group(self._tree, "", *self._events, "")
        self._spinner.update(text=f" {_clock(monotonic() - self._begin)}")
        body = Table.grid(padding=(0, 1, 0, 0))
        body.add_column(width=_TREE_COLUMNS, no_wrap=True)
        body.add_column(no_wrap=True)
        body.add_row(self._tree, self._picture or "")
        return Group(self._spinner, body, "", *self._events[-_EVENTS:])


def has_colours(console: Console) -> bool:
    """Say whether pictures can be drawn there."""
    return console.color_system is not None and not console.no_color


def _stage_line(snapshot: Snapshot, stage: Stage) -> Text:
    states = snapshot.states(stage)
    total = states.total()
    line = Text(no_wrap=True).append(stage.branch, "bright_black")
    width = _NAME + (0 if total > 1 else _BAR) - len(stage.branch)
    line.append(stage.label.ljust(width), "default" if total else "bright_black")
    if total > 1:
        line.append_text(_bar(states, total))
    if total:
        line.append(
            f" {states[TaskState.COMPUTED]:>3}/{total:<3}", "green" if snapshot.is_complete(stage) else "default"
        )
    if again := snapshot.retries(stage):
        line.append(f" {again} again", "magenta")
    return line


def _bar(states: dict[TaskState, int], total: int) -> Text:
    bar = Text()
    filled, reached = 0, 0
    for state, sign, colour in _STATES:
        reached += states.get(state, 0)
        length = round(_BAR * reached / total) - filled
        bar.append(sign * length, colour)
        filled += length
    return bar


def _worker_lines(snapshot: Snapshot, workers: Sequence[Worker]) -> list[Text]:
    lines = [Text()]
    for worker in workers:
        line = Text(no_wrap=True)
        if worker.is_killed:
            line.append("✗", "red").append(f" worker {worker.number}  killed with SIGKILL", "red")
        elif not worker.is_ready:
            line.append("○", "bright_black").append(f" worker {worker.number}  starts", "bright_black")
        else:
            running = snapshot.running_on(worker)
            line.append("●", "yellow" if running else "green")
            line.append(f" worker {worker.number}  {kind(running[0]) if running else 'idle'}")
        lines.append(line)
    return lines


def _clock(seconds: float) -> str:
    return f"{seconds:5.1f} s"
