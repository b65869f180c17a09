"""The line of a traceback that is shown names the exception, however many lines its message has."""

import traceback
from collections.abc import Callable

import pytest

from tilebox_celery.model.tracebacks import cause_line


def _several_lines() -> None:
    raise ValueError("first\nsecond\n  third")


def _with_note() -> None:
    error = ValueError("first")
    error.add_note("a note\nof two lines")
    raise error


def _chained() -> None:
    try:
        raise KeyError("inner")
    except KeyError as error:
        raise ValueError("first\nsecond") from error


def _syntax() -> None:
    compile("first = = 1", "file", "exec")


def _group() -> None:
    raise ExceptionGroup("first", [ValueError("one\ntwo"), KeyError("three")])


@pytest.mark.parametrize(
    ("fail", "line"),
    [
        (_several_lines, "ValueError: first"),
        (_with_note, "ValueError: first"),
        (_chained, "ValueError: first"),
        (_syntax, "SyntaxError: invalid syntax"),
        (_group, "ExceptionGroup: first (2 sub-exceptions)"),
    ],
)
def test_line_with_the_type_of_the_exception(fail: Callable[[], None], line: str) -> None:
    """What Python prints of an exception holds its type in one line."""
    with pytest.raises(Exception) as caught:
        fail()

    assert cause_line("".join(traceback.format_exception(caught.value))) == line


@pytest.mark.parametrize(
    ("text", "line"), [("", ""), ("worker killed", "worker killed"), ("one\ntwo\n\n", "two"), (" \n", "")]
)
def test_text_that_is_no_traceback(text: str, line: str) -> None:
    """Of other texts the last line is shown."""
    assert cause_line(text) == line
