"""Texts of users are cut and cleaned so that the ledger can hold them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tilebox_celery.model.text import cut_display, cut_error, failed_display, storable

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=60)


@given(ANY_TEXT)
def test_storable_texts(text: str) -> None:
    """Any text becomes UTF-8 without NUL, and what was fine already stays."""
    clean = storable(text)

    clean.encode()
    assert "\x00" not in clean
    if "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text):
        assert clean == text


@pytest.mark.clause("1.6-14")
@given(ANY_TEXT, st.integers(1, 60))
def test_displays(text: str, times: int) -> None:
    """A display has at most 1,024 code points, and a short one stays."""
    long = text * times

    assert len(cut_display(long)) <= 1024
    assert cut_display(long) == storable(long[:1024])


def test_display_of_a_failed_task() -> None:
    """The error follows on a line of its own; the display stays, and the error is cut."""
    assert failed_display("PrintMovieStats", KeyError("Title")) == "PrintMovieStats\nKeyError('Title')"
    assert failed_display("x" * 1000, ValueError("y" * 100)) == "x" * 1000 + "\nValueError('" + "y" * 11
    assert failed_display("x" * 1023, ValueError("y")) == "x" * 1023
    assert failed_display("x" * 5000, ValueError("y")) == "x" * 1024


def test_errors() -> None:
    """An error text keeps its start and its end within 64 KiB of UTF-8, and a short one stays."""
    long = "start" + "\N{SATELLITE}" * 100_000 + "the cause"

    cut = cut_error(long)

    assert len(cut.encode()) <= 64 * 1024
    assert cut.startswith("start")
    assert cut.endswith("the cause")
    assert "[cut]" in cut
    assert cut_error("short \N{SATELLITE}\x00") == "short \N{SATELLITE}\ufffd"
    assert cut_error("x" * 65536) == "x" * 65536
