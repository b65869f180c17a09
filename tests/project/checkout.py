"""Where the checkout lies, and how its scripts are called as the Makefile calls them."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def run_script(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one script of ``scripts/`` and return its exit code and output."""
    command = [sys.executable, str(ROOT / "scripts" / name), *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)


def plant(root: Path, files: dict[str, str]) -> Path:
    """Write files below a folder that stands for a checkout, and return it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root
