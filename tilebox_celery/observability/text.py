"""Make text that users wrote safe to print, log and send."""

import traceback
import unicodedata
from types import TracebackType

MAX_TEXT = 65_536
"""Characters of one message, traceback or attribute that leave this process."""


def escape(text: str, keep: str = "\t", limit: int = MAX_TEXT) -> str:
    r"""Write control, bidirectional and invisible characters as escapes, and cut what is too long.

    Args:
        text: What a user wrote; it may try to look like another log line or to steer a terminal.
        keep: Characters that stay although they are controls.
        limit: Characters that stay; the rest is only counted.

    Example:
        >>> escape("done\n2026-01-01 ERROR \x1b[31mfake")
        'done\\n2026-01-01 ERROR \\x1b[31mfake'
        >>> escape("x" * 100, limit=3)
        'xxx... (97 more characters)'
    """
    if len(text) > limit:
        return f"{escape(text[:limit], keep, limit)}... ({len(text) - limit} more characters)"
    if text.isprintable():
        return text
    return "".join(
        character
        if character.isprintable() or character in keep or unicodedata.category(character) == "Zs"
        else character.encode("unicode_escape").decode()
        for character in text
    )


def sendable(text: str, limit: int = MAX_TEXT) -> str:
    """Return text for a log or trace store: lines stay, what its viewer could choke on is escaped.

    Example:
        >>> sendable("one\\ntwo \\ud800")
        'one\\ntwo \\\\ud800'
    """
    return escape(text, keep="\n\t", limit=limit)


def show(value: object) -> str:
    """Return a string as it is and anything else by its repr, whatever that raises.

    Example:
        >>> show("text"), show(1.5)
        ('text', '1.5')
    """
    if isinstance(value, str):
        return value
    try:
        return repr(value)
    except BaseException as error:  # a user's __repr__ may raise anything
        return f"<{type(value).__name__}, whose repr raised {type(error).__name__}>"


def format_error(error: BaseException, frames: TracebackType | None) -> str:
    """Write an exception with its traceback, also one whose own str fails."""
    try:
        return "".join(traceback.format_exception(type(error), error, frames))
    except BaseException:  # a user's __str__ may raise anything
        return "".join(traceback.format_tb(frames)) + show(error)


def show_field(name: str, value: object) -> str:
    """Write one attribute as ``name=value``, quoted where it could be read as several.

    Example:
        >>> show_field("tile", "a b"), show_field("count", 3)
        ('tile="a b"', 'count=3')
    """
    text = escape(show(value), keep="")
    if not text or any(character in ' "=' for character in text):
        text = '"' + text.replace('"', '\\"') + '"'
    return f"{escape(name, keep='')}={text}"


def plain(value: object) -> str | int | float:
    """Take a value as it is now: what a user logs may change later, and OpenTelemetry knows few types.

    Example:
        >>> plain([1, 2]), plain(True), plain(2**63)
        ('[1, 2]', True, '9223372036854775808')
    """
    if isinstance(value, float) or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    return sendable(show(value))
