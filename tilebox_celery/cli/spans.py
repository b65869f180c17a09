"""Read time spans as people write them on a command line."""

import re
from datetime import timedelta

from tilebox_celery.errors import ArgumentError

_LONGEST = timedelta(days=365_000)
"""Times further back or ahead than this are no dates."""
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_SPAN = re.compile(r"([0-9]{1,9}(?:\.[0-9]+)?)\s*([smhdw]?)")


def parse_span(option: str, text: str) -> timedelta:
    """Read a span such as 30d, 12h, 5m, 2.5s, or a number of seconds.

    Args:
        option: Whose value it is, for the message.
        text: What was given.

    Raises:
        ArgumentError: It is no span.

    Example:
        >>> parse_span("--timeout", "1.5h")
        datetime.timedelta(seconds=5400)
    """
    match = _SPAN.fullmatch(text.strip().lower())
    if match is None:
        raise ArgumentError(f"{option} takes a time such as 30s, 5m, 12h or 7d, not {text!r:.80}.")
    seconds = float(match[1]) * _UNITS[match[2]]
    if seconds > _LONGEST.total_seconds():
        raise ArgumentError(f"{option} is {text!r:.80}, which is too long: at most {_LONGEST.days}d.")
    return timedelta(seconds=seconds)
