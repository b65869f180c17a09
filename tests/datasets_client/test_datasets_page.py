"""The pages of documents on datasets say what really happens."""

import doctest
import importlib
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs" / "howto"


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("page", ["datasets.md", "datasets-in-workflows.md"])
def test_the_pages_on_datasets_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of a page gives the output that it shows."""
    monkeypatch.chdir(tmp_path)

    failed, tried = doctest.testfile(str(PAGES / page), module_relative=False)

    assert (failed, tried > 10) == (0, True)


@pytest.mark.parametrize(
    "module",
    [
        "cli.dataset_code",
        "cli.dataset_fields",
        "cli.dataset_query",
        "datasets.collection_info",
        "datasets.field_forms",
        "datasets.frames",
        "datasets.groups",
        "datasets.progress",
        "datasets.recognition",
        "datasets.schema",
    ],
)
def test_examples_in_docstrings_run(module: str) -> None:
    """Each example in a docstring gives what it shows."""
    result = doctest.testmod(importlib.import_module(f"tilebox_celery.{module}"))

    assert (result.failed, result.attempted > 0) == (0, True)
