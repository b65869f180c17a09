"""The notebooks run without servers or an account, and give what the items say that they read."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
import rasterio
import shapely

from tests.examples.notebook_runs import NOTEBOOKS, Desk, Run
from tilebox_celery.datasets import Client
from tilebox_celery.embedded import down

DATA = Path(__file__).parents[1] / "data"
STRIP, TILE = "sentinel-2-l2a-africa-2020-06-06", "sentinel-2-l2a-35MNM-2020-jun-jul"
NAMES = sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))
BLUE, WHEAT, GREY = (31, 119, 180), (245, 222, 179), (192, 192, 192)

pytestmark = pytest.mark.xdist_group("notebooks")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A newcomer, whose servers are stopped in the end."""
    desk = Desk(tmp_path_factory.mktemp("desk"))
    yield desk
    down(desk.tilebox_home)


def items(*names: str) -> dict[str, dict[str, Any]]:
    """Return the items of some files by their id."""
    found = [json.loads((DATA / "stac" / f"{name}.json").read_text())["features"] for name in names]
    return {each["id"]: each for features in found for each in features}


def tiles(found: list[dict[str, Any]]) -> list[str]:
    """Return the sorted names of the tiles of items."""
    return sorted(each["properties"]["s2:mgrs_tile"] for each in found)


def footprint(item: dict[str, Any]) -> Any:
    """Return the footprint of an item."""
    return shapely.geometry.shape(item["geometry"])


def outline(country: str) -> Any:
    """Return the outline of a country."""
    features = json.loads((DATA / "vector" / "countries.geojson").read_text())["features"]
    [geometry] = [each["geometry"] for each in features if each["properties"]["NAME_LONG"] == country]
    return shapely.geometry.shape(geometry)


def rows(run: Run, cell: str) -> list[tuple[str, float]]:
    """Return tile and cloud cover of the table that a cell shows, sorted."""
    lines = [line.split()[-2:] for line in run.text(cell).splitlines()[2:]]
    return sorted((tile, float(cover)) for tile, cover in lines)


def has_colour(picture: Any, colour: tuple[int, int, int]) -> bool:
    """Tell whether a picture has at least a line of a colour."""
    return int((np.asarray(picture) == colour).all(axis=2).sum()) > 50


def assert_is_clean(run: Run) -> None:
    """Check what holds for each run: it is quick, and no cell complained."""
    streams = [each for outputs in run.outputs.values() for each in outputs if each.output_type == "stream"]
    assert [each.text for each in streams if each.name == "stderr"] == []
    assert run.seconds < 15


def test_query_by_area_finds_what_shapely_finds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts, tiles over Zambia, those within it and clear ones are what the items give, also when it runs again."""
    every = list(items(STRIP, TILE).values())
    zambia = outline("Zambia")
    over = [each for each in every if footprint(each).intersects(zambia)]
    clear = [each for each in over if each["properties"]["eo:cloud_cover"] < 5]
    satellites = Counter(f"S2{each['properties']['platform'][-1]}_S2MSI2A" for each in every)

    for run in (desk.run("query_by_area", monkeypatch), desk.run("query_by_area", monkeypatch)):
        counts = re.findall(r"Collection (\w+): \[.*?\] \((\d+) data points\)", run.text("fill"))
        assert {name: int(count) for name, count in counts} == satellites
        assert f"(time: {len(every)}, " in run.text("summer")
        assert sorted(run.value("area")) == tiles(over)
        assert sorted(run.value("within")) == tiles([each for each in over if zambia.contains(footprint(each))])
        assert 0 < len(run.value("within")) < len(over) < len(every)
        covers = {each["properties"]["s2:mgrs_tile"]: each["properties"]["eo:cloud_cover"] for each in clear}
        assert rows(run, "clear") == sorted(covers.items())
        assert all(has_colour(run.picture("map"), colour) for colour in (BLUE, WHEAT, GREY))
        assert has_colour(run.picture("series"), BLUE)
        assert_is_clean(run)


def test_download_one_granule_gets_the_product(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clear scene of the town is downloaded to its documented place and shown; nothing imitated is left behind."""
    chingola = shapely.Point(27.85, -12.53)
    [wanted] = [each for each in items(STRIP).values() if footprint(each).contains(chingola)]
    properties = wanted["properties"]
    name, tile = properties["s2:product_uri"], properties["s2:mgrs_tile"]
    with rasterio.open(DATA / "raster" / "RGB.byte.tif") as scene:
        pixels = scene.read()[:, ::2, ::2].transpose(1, 2, 0)

    run = desk.run("download_one_granule", monkeypatch)

    assert "(9 data points)" in run.text("fill")
    assert rows(run, "query") == [(tile, properties["eo:cloud_cover"])]
    assert run.text("download").strip() == f"Sentinel-2/MSI/L2A/2020/06/06/{name}"
    image, quicklook, manifest = run.value("storage")
    assert (quicklook, manifest) == (f"{name.removesuffix('.SAFE')}-ql.jpg", "manifest.safe")
    assert image.endswith(f"IMG_DATA/R10m/T{tile}_20200606T080609_TCI_10m.jp2")
    shown = np.asarray(run.picture("quicklook"), dtype=float)
    assert shown.shape == pixels.shape
    assert np.abs(shown - pixels).mean() < 6  # a JPEG is not exact
    assert len(np.unique(np.asarray(run.picture("pixels")).reshape(-1, 3), axis=0)) > 1000
    assert_is_clean(run)
    assert list(desk.temporary.glob("copernicus-imitation-*")) == []
    client = Client()
    assert "imitation" not in client.dataset("open_data.copernicus.sentinel2_msi").collections()
    client.close()


@pytest.mark.parametrize("name", NAMES)
def test_notebook_in_git_holds_no_outputs(name: str) -> None:
    """The stored notebook is valid, says in its first cell how to run it, and has no outputs, counts or metadata."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)

    nbformat.validate(notebook)

    code = [each for each in notebook.cells if each.cell_type == "code"]
    assert [each.id for each in code if each.outputs or each.execution_count is not None] == []
    assert [each.id for each in notebook.cells if each.metadata] == []
    assert sorted(notebook.metadata) == ["kernelspec", "language_info"]
    assert notebook.metadata.language_info == {"name": "python"}  # the version is that of whoever saved it
    assert notebook.cells[0].source.startswith("# ")
    assert "jupyter lab examples/notebooks" in notebook.cells[0].source


@pytest.mark.parametrize("name", NAMES)
def test_links_of_a_notebook_lead_somewhere(name: str) -> None:
    """Each relative link names a file of the checkout."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    prose = "\n".join(each.source for each in notebook.cells if each.cell_type == "markdown")

    links = re.findall(r"\]\(([^)#:]+)\)", prose)

    assert links
    assert [each for each in links if not (NOTEBOOKS / each).exists()] == []
