"""Kill a process before chosen lines of real code, once each: no seam, no copy of the code, nothing replaced."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "12_datasets_and_workflows.py"
STORAGE, STORE = ROOT / "tilebox_celery" / "storage", ROOT / "tilebox_celery" / "datasets" / "store"

LINES = {
    "in the root, before its subtasks": (EXAMPLE, "context.submit_subtasks("),
    "in the root, before its report": (EXAMPLE, "context.current_task.display = f"),
    "before the download": (EXAMPLE, "product = storage.download(scene)"),
    "in the download, with bytes not noted": (STORAGE / "part.py", "offset, rest = offset + written, rest[written:]"),
    "in the download, before it is whole": (STORAGE / "shelf.py", "prepared.rename(final)"),
    "in the download, once it is whole": (STORAGE / "shelf.py", "sync_folder(final.parent)"),
    "between download and ingest": (EXAMPLE, 'datasets.dataset(RESULTS).collection("v1").ingest('),
    "in the ingest, before its rows": (STORE / "rows.py", "connection.copy(NAMESPACE"),
    "in the ingest, before its commit": (STORE / "arrow_connection.py", 'self.execute("commit")'),
    "after the ingest, before the report": (EXAMPLE, "context.current_task.display = str("),
}
"""Where a process may die: the only line of a file with this text."""


def line_of(file: Path, text: str) -> int:
    """Return the number of the line that holds a text."""
    (number,) = [number for number, line in enumerate(file.read_text().splitlines(), 1) if text in line]
    return number


class Death:
    """A trace function that kills the process where its turn has come.

    Args:
        names: Keys of `LINES`.
        folder: Of a file for each line at which a process has died, so that no second one does.
    """

    def __init__(self, names: list[str], folder: Path) -> None:
        self._folder = folder
        self._names = {(str(file), line_of(file, text)): name for name in names for file, text in [LINES[name]]}
        self._files = {file for file, _ in self._names}

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Watch this thread, and those that it starts."""
        threading.settrace(self)
        sys.settrace(self)
        try:
            yield
        finally:
            sys.settrace(None)
            threading.settrace(None)

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        """Watch the lines of the files in question."""
        if frame.f_code.co_filename not in self._files:
            return None
        name = self._names.get((frame.f_code.co_filename, frame.f_lineno)) if event == "line" else None
        if name is not None and self._is_first(name):
            os.kill(os.getpid(), signal.SIGKILL)
        return self

    def _is_first(self, name: str) -> bool:
        try:
            (self._folder / name).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True
