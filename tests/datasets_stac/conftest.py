"""Real STAC items, and a STAC API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stac_api_server import StacServer, run_stac_server

DATA = Path(__file__).parent.parent / "data" / "stac"


@pytest.fixture
def stac_data() -> Path:
    """The folder of real items."""
    return DATA


@pytest.fixture
def sentinel2_items() -> list[dict[str, Any]]:
    """Thirteen items of one tile."""
    return json.loads((DATA / "sentinel-2-l2a-35MNM-2020-jun-jul.json").read_text())["features"]


@pytest.fixture
def sentinel1_items() -> list[dict[str, Any]]:
    """Four items."""
    return json.loads((DATA / "sentinel-1-rtc.json").read_text())["features"]


@pytest.fixture
def landsat_items() -> list[dict[str, Any]]:
    """Four items."""
    return json.loads((DATA / "landsat-c2-l2.json").read_text())["features"]


@pytest.fixture
def stac_server() -> Iterator[StacServer]:
    """A running STAC API; a test sets `respond`."""
    with run_stac_server() as server:
        yield server
