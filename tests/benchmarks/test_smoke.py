"""The benchmarks run: both engines do all of a small graph."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.system
def test_both_engines_run_all_of_a_small_fan_out(tmp_path: Path) -> None:
    """A fan-out to two branches runs whole on our workers and on plain Celery's, and its figures are kept."""
    command = [
        sys.executable,
        "-m",
        "benchmarks",
        "--only",
        "W1",
        "--runs",
        "1",
        "--scale",
        "0.0128",
        "--json",
        "figures.json",
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TILEBOX_CELERY_")}

    done = subprocess.run(
        command,
        check=False,
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=110,
    )

    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())["W1"]
    assert "error" not in figures
    assert figures["our_tasks"] == 128 + 2 + 2
    assert figures["canvas_tasks"] == 128 + 2
    assert len(figures["ours_seconds"]) == len(figures["canvas_seconds"]) == 1
