"""Print log records on the terminal, one line each whatever users wrote into them."""

import logging
import os
import sys
import time
from typing import TextIO

from tilebox_celery.observability.text import escape, format_error, show_field

_COLOURS = {
    logging.DEBUG: "2",
    logging.INFO: "32",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "1;31",
}
_INDENT = "    "


class ConsoleHandler(logging.StreamHandler[TextIO]):
    """Write to whatever is standard output when a record comes, coloured if that is a terminal."""

    def __init__(self, level: int | str = logging.NOTSET) -> None:
        """Set up the handler with its formatters."""
        logging.Handler.__init__(self, level)
        self._plain = ConsoleFormatter(coloured=False)
        self._coloured = ConsoleFormatter(coloured=True)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # not fixed: notebooks and tests replace sys.stdout
        """Standard output now."""
        return sys.stdout

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as a line."""
        return (self._coloured if wants_colour(self.stream) else self._plain).format(record)


class ConsoleFormatter(logging.Formatter):
    """``%(asctime)s %(levelname)s %(message)s``, with the time in UTC and the attributes at the end."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%d %H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self, *, coloured: bool) -> None:
        """Set up the formatter."""
        super().__init__()
        self._coloured = coloured

    def format(self, record: logging.LogRecord) -> str:
        """Write a record: its line, and below it the indented traceback."""
        level = record.levelname
        if self._coloured and (colour := _COLOURS.get(record.levelno)):
            level = f"\x1b[{colour}m{level}\x1b[0m"
        parts = [self.formatTime(record), level, escape(record.getMessage())]
        parts += [show_field(name, value) for name, value in getattr(record, "attributes", {}).items()]
        lines = [" ".join(parts)]
        if record.exc_info and record.exc_info[1]:
            _, error, frames = record.exc_info
            lines += [_INDENT + escape(line) for line in format_error(error, frames).splitlines()]
        return "\n".join(lines)


def wants_colour(stream: TextIO) -> bool:
    """Tell whether to colour: on a terminal, unless NO_COLOR says no, or FORCE_COLOR says yes."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()
