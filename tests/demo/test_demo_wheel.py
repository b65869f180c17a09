"""The demo works from a wheel, away from the checkout."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tilebox_celery.client.client import Client
from tilebox_celery.embedded import Stack

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.long
@pytest.mark.system
@pytest.mark.timeout(300)
def test_demo_runs_from_a_wheel(client: Client, stack: Stack, tmp_path: Path) -> None:
    """A wheel carries scene and provenance, and its demo reaches the good end from there."""
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([uv, "build", "--quiet", "--wheel", "--out-dir", tmp_path / "dist", ROOT], check=True)
    package = tmp_path / "package"
    zipfile.ZipFile(next((tmp_path / "dist").glob("*.whl"))).extractall(package)
    code = """
import json, sys
from pathlib import Path
import tilebox_celery
from tilebox_celery.demo.main import run_demo
print(tilebox_celery.__file__)
sys.exit(run_demo(json=True, out=Path("out"), pace=0))
"""
    environment = {**os.environ, "PYTHONPATH": str(package), "TILEBOX_CELERY_BROKER_URL": stack.broker_url}

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    place, document = done.stdout.split("\n", 1)
    assert Path(place).is_relative_to(package)
    assert json.loads(document)["identical"]
    assert (package / "tilebox_celery" / "demo" / "data" / "SOURCES.md").exists()
