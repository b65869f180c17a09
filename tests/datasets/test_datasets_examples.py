"""The examples in the docstrings of the layout of datasets."""

import doctest
import importlib

import pytest

MODULES = [
    "arrow_types",
    "canonical_rows",
    "checked_tables",
    "garbage",
    "geoparquet_crs",
    "identifiers",
    "incoming",
    "incoming_arrow",
    "incoming_columns",
    "incoming_geometries",
    "incoming_place",
    "incoming_sources",
    "incoming_values",
    "netcdf_texts",
    "incoming_vectors",
    "incoming_xarray",
    "json_object",
    "json_text",
    "listing",
    "schema",
    "time_arguments",
    "time_interval",
    "xarray_layout",
    "xarray_layout_columns",
    "xarray_layout_lists",
]


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module: str) -> None:
    """Each example in a docstring does what it says."""
    result = doctest.testmod(importlib.import_module(f"tilebox_celery.datasets.{module}"))

    assert result.attempted > 0
    assert result.failed == 0
