"""The diary of the tasks that run in the process of the test."""

from collections.abc import Iterator

import pytest
from diary import Diary


@pytest.fixture
def diary() -> Iterator[list[str]]:
    """What the tasks of this test have written, in order."""
    Diary.lines.clear()
    yield Diary.lines
    Diary.lines.clear()
