"""The W3C traceparent of a job: made here, kept in the ledger, read by the runners."""

import os
import re
from typing import NamedTuple

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class SpanIds(NamedTuple):
    """Which span of which trace."""

    trace_id: int
    span_id: int
    flags: int


def new_traceparent() -> str:
    """Return the traceparent of a new trace, sampled, so that a runner which exports traces starts from it.

    Example:
        >>> parse_traceparent(new_traceparent()).flags
        1
    """
    return f"00-{os.urandom(16).hex()}-{os.urandom(8).hex()}-01"


def format_traceparent(trace_id: int, span_id: int, flags: int) -> str:
    """Write a traceparent.

    Example:
        >>> format_traceparent(1, 2, 1)
        '00-00000000000000000000000000000001-0000000000000002-01'
    """
    return f"00-{trace_id:032x}-{span_id:016x}-{flags:02x}"


def parse_traceparent(text: str | None) -> SpanIds | None:
    """Read a traceparent; None where there is none that section 3.2 of the standard accepts.

    Example:
        >>> parse_traceparent("00-00000000000000000000000000000001-0000000000000002-01")
        SpanIds(trace_id=1, span_id=2, flags=1)
        >>> parse_traceparent("garbage") is None
        True
    """
    found = _TRACEPARENT.fullmatch(text or "")
    if found is None:
        return None
    return SpanIds(int(found[1], 16), int(found[2], 16), int(found[3], 16))
