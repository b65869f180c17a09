"""The examples in the docstrings of the canvas modules."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize(
    "module",
    ["dispatch.canvas", "dispatch.canvas_json", "dispatch.canvas_leaf", "dispatch.canvas_shape", "runner.celery_task"],
)
def test_examples_run(module: str) -> None:
    """Each example in a docstring does what it says."""
    result = doctest.testmod(importlib.import_module(f"tilebox_celery.{module}"))

    assert result.attempted > 0
    assert result.failed == 0
