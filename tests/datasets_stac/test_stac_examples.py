"""The examples in the docstrings of STAC and of the open data."""

import doctest
import importlib

import pytest

MODULES = [
    "open_data.catalog",
    "open_data.copernicus",
    "stac.geojson",
    "stac.inference",
    "stac.names",
    "stac.products",
    "stac.sources",
    "stac.table",
    "stac.times",
]


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module: str) -> None:
    """Each example in a docstring does what it says."""
    result = doctest.testmod(importlib.import_module(f"tilebox_celery.datasets.{module}"))

    assert result.attempted > 0
    assert result.failed == 0
