"""Write to the terminal: one JSON document or a table on stdout, everything else on stderr."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TextIO

from tilebox_celery.observability.text import escape

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

_WIDE = 10_000
_GAP = 2
_WIDEST = 40
"""Columns that a name of a user may take before it is cut."""


@dataclass
class Mode:
    """How this process was asked to speak."""

    json: bool = False
    debug: bool = False


mode = Mode()
"""Set by ``--json`` and ``--debug``, wherever they stand."""


def stdout() -> "Console":
    """Return a console for results."""
    return _console(sys.stdout)


def stderr() -> "Console":
    """Return a console for progress, hints and errors."""
    return _console(sys.stderr)


def show_document(document: Any) -> None:
    """Print the one JSON document of a command."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()


def counted(number: int, thing: str) -> str:
    """Return a number of things.

    Example:
        >>> counted(1, "datapoint"), counted(1200, "datapoint")
        ('1 datapoint', '1,200 datapoints')
    """
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def show_list(documents: Iterable[Any]) -> None:
    """Print one JSON document, a list, in little memory."""
    mark = "["
    for document in documents:
        sys.stdout.write(f"{mark}\n  {json.dumps(document)}")
        mark = ","
    sys.stdout.write("[]\n" if mark == "[" else "\n]\n")
    sys.stdout.flush()


def show_line(document: Any) -> None:
    """Print one object of a stream of JSON objects."""
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


def show(text: "RenderableType") -> None:
    """Print a result for people; a plain string is printed as it is."""
    console = stdout()
    if console.is_terminal:
        console.print(text)
        return
    with console.capture() as capture:
        console.print(text)
    sys.stdout.write("".join(line.rstrip() + "\n" for line in capture.get().splitlines()))  # tables fill up with spaces
    sys.stdout.flush()


def show_code(text: str) -> None:
    """Print a program as it is: no line is broken, however narrow the terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Tell people something beside the result, on stderr."""
    stderr().print(clean(text), style="dim", soft_wrap=True)


def table(
    columns: Sequence[str],
    rows: "Iterable[Sequence[str | Text]]",
    *,
    right: Iterable[str] = (),
    cut: str | None = None,
    wrap: str | None = None,
) -> "Table":
    """Make a table without lines.

    Args:
        columns: The headers.
        rows: Their cells; strings are made harmless.
        right: Columns of numbers.
        cut: The column that gives way when the terminal is narrow.
        wrap: The column that goes over several lines then.
    """
    from rich.table import Table
    from rich.text import Text

    cells = [[Text(clean(cell, 1)) if isinstance(cell, str) else cell for cell in row] for row in rows]
    widths = {
        column: min(
            max([len(column), *(row[number].cell_len for row in cells)]), _WIDE if column in (cut, wrap) else _WIDEST
        )
        for number, column in enumerate(columns)
    }
    if (yielding := cut or wrap) is not None:  # Table would narrow all columns alike
        others = sum(width + _GAP for column, width in widths.items() if column != yielding)
        widths[yielding] = max(min(widths[yielding], stdout().width - others), len(yielding))
    made = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column in columns:
        made.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=column != wrap,
            overflow="fold" if column == wrap else "ellipsis",
            width=widths[column],
        )
    for row in cells:
        made.add_row(*row)
    return made


def facts(rows: Iterable[tuple[str, "str | Text"]]) -> "Table":
    """Make a table of names and values, whose values wrap."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    made.add_column(style="bold", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        made.add_row(name, clean(value) if isinstance(value, str) else value)
    return made


def clean(text: str, lines: int | None = None) -> str:
    """Make text of users harmless: no control characters, so no colours and no moved cursor.

    Args:
        text: A name, a display, an error.
        lines: 1 joins all lines to one; None keeps them.

    Example:
        >>> clean("red \\x1b[31m", 1)
        'red \\\\x1b[31m'
    """
    if lines == 1:
        return escape(" / ".join(part for part in text.splitlines() if part.strip()), keep="")
    return escape(text, keep="\n\t")


def span(seconds: float | timedelta) -> str:
    """Write a time span for people.

    Example:
        >>> span(0.0125), span(75), span(7300)
        ('12 ms', '1m 15s', '2h 1m')
    """
    value = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    if value < 1:
        return f"{value * 1000:.0f} ms"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(int(value), 60)
    if minutes < 60:
        return f"{minutes}m {rest}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours}h {minutes}m"
    return f"{hours // 24}d {hours % 24}h"


def ago(moment: datetime) -> str:
    """Write how long ago something was."""
    return span(max((datetime.now(UTC) - moment).total_seconds(), 0.0)) + " ago"


def moment(value: datetime | None) -> str:
    """Write a time in UTC for people."""
    return "" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso(value: datetime | None) -> str | None:
    """Write a time for JSON."""
    return None if value is None else value.astimezone(UTC).isoformat()


def _console(file: TextIO) -> "Console":
    from rich.console import Console

    # What a pipe gets is for programs: nothing is cut there.
    width = None if file.isatty() or os.environ.get("COLUMNS") else _WIDE
    return Console(file=file, width=width, highlight=False, markup=False, emoji=False, soft_wrap=False)
