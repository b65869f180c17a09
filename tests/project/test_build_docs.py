"""The generated documents follow their sources."""

import shutil
from pathlib import Path

import pytest

from tests.project.checkout import ROOT, plant, run_script


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small checkout with its own copy of the generator, which works on the tree it stands in."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    return plant(
        tmp_path,
        {
            "docs/glossary.md": "# Glossary\n",
            "docs/howto/aa.md": "# A how-to\n",
            "docs/howto/index.md": "# How-to\n",
            "docs/tutorial/index.md": "# Tutorial\n",
            "docs/index.md": "# Start\n",
            "docs/other.md": "# Other\n",
        },
    )


def build(checkout: Path, *arguments: str) -> int:
    """Run the checkout's own generator and return its exit code."""
    return run_script(str(checkout / "scripts" / "build_docs.py"), *arguments).returncode


def test_pages_are_joined_in_reading_order(checkout: Path) -> None:
    """The whole text goes through the pages in reading order, the index of each folder first."""
    build(checkout)

    text = (checkout / "docs/llms-full.txt").read_text()
    sources = [line.removeprefix("Source: docs/") for line in text.splitlines() if line.startswith("Source: ")]
    assert sources == ["index.md", "tutorial/index.md", "howto/index.md", "howto/aa.md", "glossary.md", "other.md"]
    assert "# A how-to" in text


def test_changed_page_fails_the_check(checkout: Path) -> None:
    """The check passes after a build and fails after a page was changed."""
    build(checkout)
    before = build(checkout, "--check")
    plant(checkout, {"docs/howto/aa.md": "# Another how-to\n"})

    after = build(checkout, "--check")

    assert (before, after) == (0, 1)
