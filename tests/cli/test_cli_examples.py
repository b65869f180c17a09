"""The examples of the modules of the command line run."""

import doctest
import importlib
from pathlib import Path

import pytest

import tilebox_celery.cli

FOLDER = Path(tilebox_celery.cli.__file__).parent
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if ">>>" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module: str) -> None:
    """Each docstring prints what it says."""
    result = doctest.testmod(importlib.import_module(f"tilebox_celery.cli.{module}"))

    assert result.attempted > 0
    assert result.failed == 0
