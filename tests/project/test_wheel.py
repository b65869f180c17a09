"""The wheel carries everything that the package reads at run time."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.project.checkout import ROOT

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [Path(sys.executable).parent / "uv", "build", "--quiet", "--wheel", "--out-dir", folder, ROOT]
    subprocess.run(command, check=True)
    return next(folder.glob("*.whl"))


def test_wheel_holds_the_files_of_the_checkout(wheel: Path) -> None:
    """Every file of the package that git knows is in the wheel, and so is every file of broker_config."""
    listed = subprocess.run(
        ["git", "ls-files", "tilebox_celery", "broker_config"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    expected = {f"tilebox_celery/{name.removeprefix('tilebox_celery/')}" for name in listed.stdout.splitlines()}

    packed = set(zipfile.ZipFile(wheel).namelist())

    assert expected - packed == set()


def test_settings_are_found_in_an_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    """Away from the checkout, the package finds the settings files inside itself."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    code = "from tilebox_celery.settings_files import config_path; print(config_path('valkey.conf'))"

    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True)

    assert found.stdout.strip() == str(tmp_path / "tilebox_celery" / "broker_config" / "valkey.conf")
