"""The file-length check finds what is too long and nothing else."""

from pathlib import Path

import pytest

from tests.project.checkout import ROOT, plant, run_script


def test_checkout_is_within_its_limits() -> None:
    """No file of this checkout is above its limit."""
    checked = run_script("check_lengths.py", ROOT)

    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("tilebox_celery/ledger/calls.py", 400),
        ("tests/test_it.py", 400),
        ("benchmarks/run.py", 400),
        ("examples/movies.py", 400),
        ("tilebox_celery/ledger/functions/claim.sql", 130),
    ],
)
def test_one_line_too_many_is_named(tmp_path: Path, name: str, limit: int) -> None:
    """A file may reach its limit; with one line more the check fails and names it."""
    full, over = plant(tmp_path / "full", {name: "x\n" * limit}), plant(tmp_path / "over", {name: "x\n" * (limit + 1)})

    checks = [run_script("check_lengths.py", root) for root in (full, over)]

    assert [check.returncode for check in checks] == [0, 1]
    assert f"{name} has {limit + 1} lines, {limit} are allowed" in checks[1].stdout
