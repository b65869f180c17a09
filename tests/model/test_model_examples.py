"""The examples in the docstrings of the model, and what importing it costs."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import tilebox_celery.model.context
from tilebox_celery.model.task import Task


@pytest.mark.parametrize(
    "module", ["cluster", "codecs", "grouping", "identifiers", "ids", "inputs", "states", "task", "text"]
)
def test_examples_run(module: str) -> None:
    """Each example in a docstring does what it says."""
    result = doctest.testmod(importlib.import_module(f"tilebox_celery.model.{module}"))

    assert result.attempted > 0
    assert result.failed == 0


def test_context_examples_run() -> None:
    """The examples of the context run too."""
    result = doctest.testmod(tilebox_celery.model.context, extraglobs={"Task": Task})

    assert result.attempted > 0
    assert result.failed == 0


def test_the_page_on_inputs_is_true() -> None:
    """Each example on the page about inputs prints what the page shows."""
    page = Path(__file__).parents[2] / "docs" / "reference" / "inputs.md"

    failed, attempted = doctest.testfile(str(page), module_relative=False)

    assert attempted > 8
    assert failed == 0


def test_import_is_light() -> None:
    """Writing a task loads the standard library and this package only."""
    script = (
        "import sys; before = set(sys.modules)\n"
        "import tilebox_celery.model.context, tilebox_celery.model.job\n"
        "loaded = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(loaded - sys.stdlib_module_names))"
    )

    printed = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout

    assert printed.strip() == "['tilebox_celery']"
