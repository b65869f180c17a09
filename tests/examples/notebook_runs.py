"""Run a notebook of the examples as a newcomer does: from its own folder, with nothing of this machine's settings."""

import ast
import base64
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from PIL import Image
from traitlets.config import Config

NOTEBOOKS = Path(__file__).parents[2] / "examples" / "notebooks"
KERNEL = "python-of-the-tests"
FOREIGN = ("TILEBOX_", "AWS_", "JUPYTER_", "IPYTHON", "MPL", "EARTHDATA_")


@dataclass(frozen=True)
class Run:
    """What the cells of a notebook gave, by the id of the cell."""

    outputs: dict[str, list[Any]]
    seconds: float

    def text(self, cell: str) -> str:
        """Return the text of a cell's only output: its value, or what it printed."""
        [output] = self.outputs[cell]
        return str(output.text if output.output_type == "stream" else output.data["text/plain"])

    def value(self, cell: str) -> Any:
        """Return the value of a cell that Python can read again."""
        return ast.literal_eval(self.text(cell))

    def picture(self, cell: str) -> Image.Image:
        """Return the picture of a cell."""
        [output] = self.outputs[cell]
        return Image.open(BytesIO(base64.b64decode(output.data["image/png"]))).convert("RGB")


@dataclass(frozen=True)
class Desk:
    """A folder that stands for the home of a newcomer, with a kernel of this Python and no servers yet."""

    folder: Path

    @property
    def tilebox_home(self) -> Path:
        """The data directory of the embedded servers."""
        return self.folder / "tilebox"

    @property
    def temporary(self) -> Path:
        """The folder for temporary files of the kernels."""
        return self.folder / "tmp"

    def run(self, name: str, monkeypatch: pytest.MonkeyPatch) -> Run:
        """Run a notebook from its first cell to its last; the first error ends it."""
        for variable in [each for each in os.environ if each.startswith(FOREIGN)]:
            monkeypatch.delenv(variable)
        self.temporary.mkdir(exist_ok=True)
        monkeypatch.setenv("HOME", str(self.folder))
        monkeypatch.setenv("TMPDIR", str(self.temporary))
        monkeypatch.setenv("TILEBOX_CELERY_HOME", str(self.tilebox_home))
        for kind in ("PATH", "DATA_DIR", "CONFIG_DIR", "RUNTIME_DIR"):
            monkeypatch.setenv(f"JUPYTER_{kind}", str(self.folder / "jupyter"))
        self._install_kernel()
        notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
        # Sockets, whose paths must be short: ports might be taken by others meanwhile.
        with tempfile.TemporaryDirectory(prefix="nb-") as sockets:
            client = NotebookClient(
                notebook,
                timeout=60,
                kernel_name=KERNEL,
                resources={"metadata": {"path": str(NOTEBOOKS)}},
                config=Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}}),
            )
            start = time.monotonic()
            client.execute()
        cells = {each.id: each.outputs for each in notebook.cells if each.cell_type == "code"}
        return Run(cells, time.monotonic() - start)

    def _install_kernel(self) -> None:
        folder = self.folder / "jupyter" / "kernels" / KERNEL
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        spec = {"argv": command, "display_name": KERNEL, "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(spec))
