"""The README's program runs as it stands and prints what a newcomer expects."""

import re
import subprocess
import sys
from pathlib import Path

from tests.examples.test_examples import ROOT
from tilebox_celery.client.client import Client
from tilebox_celery.model.cluster import Cluster


def test_ten_lines_run_as_they_stand(client: Client, cluster: Cluster, tmp_path: Path) -> None:
    """The one block of Python in the README ends with 0 and greets in order, without a warning."""
    [program] = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    path = tmp_path / "ten_lines.py"
    path.write_text(program)

    command = [sys.executable, "-W", "error", path]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=90)

    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert (sorted(lines[:2]), lines[2:]) == (["Hello Nairobi!", "Hello Vienna!"], ["That was all.", "COMPLETED"])
