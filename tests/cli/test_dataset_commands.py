"""`tilebox-celery dataset`: open data with one command, own data, queries, code and exports."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

from tests.cli.program import Cli
from tilebox_celery.datasets import Client
from tilebox_celery.datasets.open_data import catalog, find_open_dataset

STAC = Path(__file__).parents[1] / "data" / "stac"
ITEMS = STAC / "sentinel-2-l2a-africa-2020-06-06.json"
SENTINEL2 = "open_data.copernicus.sentinel2_msi"
JUNE = ("--time", "2020-06-01/2020-07-01")


@pytest.fixture
def filled(cli: Cli, ledger_url: str) -> Cli:
    """A database with nine real Sentinel-2 items in the catalog's dataset."""
    done = cli("dataset", "ingest", SENTINEL2, str(STAC / "sentinel-2-l2a-africa-2020-06-06.json"), "--create")
    assert done.code == 0, done.stderr
    return cli


def test_open_data_is_filled_with_one_command(cli: Cli, ledger_url: str) -> None:
    """Dataset, collection and datapoints come from one command, and a second run adds nothing."""
    words = ("dataset", "ingest", SENTINEL2, str(STAC / "sentinel-2-l2a-africa-2020-06-06.json"), "--create", "--json")

    first, again = cli(*words).document, cli(*words).document

    assert first == [{"dataset": SENTINEL2, "collection": "S2B_S2MSI2A", "read": 9, "stored": 9}]
    assert again == [{"dataset": SENTINEL2, "collection": "S2B_S2MSI2A", "read": 9, "stored": 0}]


def test_get_describes_fields_and_collections(filled: Cli) -> None:
    """`dataset get` shows the description, each field with its meaning, and what the collections hold."""
    document = filled("dataset", "get", SENTINEL2, "--json").document
    shown = filled("dataset", "get", SENTINEL2)

    assert document["collections"][0]["count"] == 9
    assert all(each["description"] for each in document["fields"])
    assert "granule_name" in shown.stdout
    assert "S2B_S2MSI2A" in shown.stdout
    assert [each["slug"] for each in filled("dataset", "list", "--json").document] == [SENTINEL2]


def test_query_filters_and_prints_its_code(filled: Cli) -> None:
    """What `query` shows is what the code of `--as-code` loads."""
    words = ("dataset", "query", SENTINEL2, *JUNE, "--where", "cloud_cover < 1", "--area", "26,-20,30,0")

    rows = [json.loads(line) for line in filled(*words, "--json").stdout.splitlines()]
    code = filled(*words, "--as-code").stdout
    found: dict[str, Any] = {}
    exec(code, found)
    found["client"].close()

    assert 0 < len(rows) < 9
    assert [row["id"] for row in rows] == list(found["data"]["id"].to_numpy())
    assert all(len(row["center"]) == 2 and row["geometry"].startswith("POLYGON") for row in rows)
    assert 'field("cloud_cover") < 1.0' in code


TWO_PLACES = {
    "type": "FeatureCollection",
    "features": [
        {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": place}}
        for place in ([27.0, -8.0], [28.5, -13.0])
    ],
}
SELECTIONS: dict[str, tuple[str, ...]] = {
    "an interval of a collection": (*JUNE, "-c", "S2B_S2MSI2A"),
    "an instant": ("--time", "2020-06-06T08:06:09.024", "-c", "S2B_S2MSI2A"),
    "times only": (*JUNE, "-c", "S2B_S2MSI2A", "--skip-data"),
    "all collections": (*JUNE,),
    "several collections": (*JUNE, "-c", "S2B_S2MSI2A", "-c", 'the "other" \x9b31m one'),
    "nothing": ("--time", "1999-01-01/1999-01-02"),
    "a box": (*JUNE, "--area", "26.5,-9,27.5,-8", "-c", "S2B_S2MSI2A"),
    "WKT": (*JUNE, "--area", "POLYGON ((26.5 -9, 27.5 -9, 27.5 -8, 26.5 -9))"),
    "a GeoJSON file": (*JUNE, "--area", "places.geojson"),
    "a GeoJSON geometry": (*JUNE, "--area", "place.json"),
    "a text": (*JUNE, "--where", "granule_name = 'it''s'"),
    "a text of the data": (*JUNE, "--where", "satellite == SENTINEL-2B"),
    "a truth": (*JUNE, "--where", "online = true"),
    "a time": (*JUNE, "--where", "start_time < 2020-06-07"),
    "what is absent": (*JUNE, "--where", "orbit_number is null", "--where", "cloud_cover >= 1"),
    "everything": (*JUNE, "-c", "S2B_S2MSI2A", "-w", "cloud_cover < 50", "-a", "20,-20,30,0", "--skip-data"),
}


@pytest.mark.parametrize("words", SELECTIONS.values(), ids=SELECTIONS)
def test_code_of_a_query_selects_the_same(filled: Cli, words: tuple[str, ...]) -> None:
    """Whatever is selected, the snippet is a script that runs as it is, and gives the same datapoints."""
    (filled.folder / "places.geojson").write_text(json.dumps(TWO_PLACES))
    (filled.folder / "place.json").write_text(json.dumps(TWO_PLACES["features"][0]["geometry"]))  # type: ignore[index]
    client = Client()
    client.dataset(SENTINEL2).create_collection('the "other" \x9b31m one')
    client.close()

    rows = [json.loads(line) for line in filled("dataset", "query", SENTINEL2, *words, "--json").stdout.splitlines()]
    code = filled("dataset", "query", SENTINEL2, *words, "--as-code").stdout
    found: dict[str, Any] = {}
    exec(code, found)
    found["client"].close()

    data = found["data"]
    assert (data["id"].to_numpy().tolist() if "time" in data else []) == [row["id"] for row in rows]
    assert filled("dataset", "query", SENTINEL2, *words, "--as-code", "--json").document == {"code": code.rstrip("\n")}


def test_the_snippet_is_that_of_the_documents(filled: Cli) -> None:
    """A collection and an interval give client, dataset, collection and load, as the documents write them."""
    code = filled("dataset", "query", SENTINEL2, *JUNE, "-c", "S2B_S2MSI2A", "--as-code").stdout

    assert code.splitlines() == [
        "from tilebox_celery.datasets import Client",
        "",
        "client = Client()",
        f'dataset = client.dataset("{SENTINEL2}")',
        'collection = dataset.collection("S2B_S2MSI2A")',
        'data = collection.load(("2020-06-01", "2020-07-01"))',
    ]


@pytest.mark.parametrize("slug", [each.slug for each in catalog()])
def test_get_prints_what_the_catalog_says(cli: Cli, ledger_url: str, slug: str) -> None:
    """`dataset get` of each dataset of the catalog prints its description, and type and meaning of each field."""
    assert cli("dataset", "create", slug, "--open-data").code == 0
    ready = find_open_dataset(slug)

    shown = " ".join(cli("dataset", "get", slug).stdout.split())
    document = cli("dataset", "get", slug, "--json").document

    assert ready.summary in shown
    assert ready.description in shown
    assert document["description"] == f"{ready.summary}\n\n{ready.description}"
    for field in ready.schema.fields:
        assert field.name in shown
        assert all(word in shown for word in field.description.split())
        told = next(each for each in document["fields"] if each["name"] == field.name)
        assert (told["description"], told["example"]) == (field.description, field.example)


@pytest.mark.parametrize("ending", ["nc", "parquet", "csv", "geojson"])
def test_exports_hold_every_datapoint(filled: Cli, tmp_path: Path, ending: str) -> None:
    """Each format holds the nine datapoints with their names."""
    import geopandas as gpd
    import pandas as pd

    file = tmp_path / f"out.{ending}"

    assert filled("dataset", "export", SENTINEL2, str(file), *JUNE, "--json").document["datapoints"] == 9

    match ending:
        case "nc":
            with xr.open_dataset(file, engine="h5netcdf") as data:
                names = set(data["granule_name"].to_numpy())
        case "csv":
            names = set(pd.read_csv(file)["granule_name"])
        case "parquet":
            names = set(gpd.read_parquet(file)["granule_name"])
        case _:
            names = {each["properties"]["granule_name"] for each in json.loads(file.read_text())["features"]}
    assert len(names) == 9
    assert list(tmp_path.iterdir()) == [file]


def test_own_data_becomes_a_dataset(cli: Cli, ledger_url: str) -> None:
    """`ingest --create` infers the fields of a source, and `delete` takes a collection away."""
    ingested = cli("dataset", "ingest", "my.landsat", str(STAC / "landsat-c2-l2.json"), "--create", "-c", "all")

    assert (ingested.code, ingested.stderr.strip()) == (0, "all: 4 datapoints read, 4 of them new.")
    assert cli("dataset", "delete", "my.landsat", "all", "--yes", "--json").document["deleted"] == 4
    assert cli("dataset", "get", "my.landsat", "--json").document["collections"] == []


def test_a_dataset_is_deleted_if_that_is_meant(filled: Cli) -> None:
    """`delete` of a dataset with datapoints needs --force, and without a terminal --yes."""
    refused = filled("dataset", "delete", SENTINEL2, "--yes")
    unasked = filled("dataset", "delete", SENTINEL2, "--force")

    assert (refused.code, refused.stderr) == (
        2,
        f"{SENTINEL2} has 9 datapoints: --force deletes them with the dataset.\n",
    )
    assert (unasked.code, "with 1 collection and 9 datapoints: say --yes" in unasked.stderr) == (2, True)
    done = filled("dataset", "delete", SENTINEL2, "--force", "--yes", "--json")
    assert done.document == {"dataset": SENTINEL2, "deleted": 9}
    assert filled("dataset", "list", "--json").document == []
    assert filled("dataset", "delete", SENTINEL2, "--yes").code == 4


def test_whole_numbers_are_compared_with_any_number(filled: Cli) -> None:
    """As in Python; and a condition may be written in capital letters."""
    [record] = [
        json.loads(line)
        for line in filled("dataset", "query", SENTINEL2, *JUNE, "--json", "-n", "1").stdout.splitlines()
    ][:1]
    orbit = next(name for name, value in record.items() if isinstance(value, int) and value > 1)

    for condition, count in ((f"{orbit} < 1e9", 9), (f"{orbit} = 0.5", 0), (f"{orbit} IS NOT NULL", 9)):
        shown = filled("dataset", "query", SENTINEL2, *JUNE, "--where", condition, "--json")
        assert len(shown.stdout.splitlines()) == count, shown.stderr


def test_fields_are_given_as_options(cli: Cli, ledger_url: str) -> None:
    """`create --field` makes a dataset, and adds fields to one, whether it has datapoints or not."""
    cli("dataset", "create", "my.scenes", "--field", "name:string", "--kind", "temporal")
    cli("dataset", "create", "my.scenes", "--field", "bands:list[int64]")
    with closing(Client(ledger_url)) as client:
        client.dataset("my.scenes").create_collection("c").ingest([{"time": 0, "name": "a", "bands": [1]}])

    made = cli("dataset", "create", "my.scenes", "--field", "orbit:int64", "--field", "name:string", "--json")

    assert [(each["name"], each["type"]) for each in made.document["fields"]] == [
        ("name", "string"),
        ("bands", "list[int64]"),
        ("orbit", "int64"),
    ]
    renamed = cli("dataset", "create", "my.scenes", "--name", "Mine", "--json").document
    assert (renamed["name"], len(renamed["fields"])) == ("Mine", 3)
    assert "from string to int64" in cli("dataset", "create", "my.scenes", "--field", "name:int64").stderr


def test_a_limit_holds_for_lines_of_json_too(filled: Cli) -> None:
    """Without one, all datapoints are printed."""
    words = ("dataset", "query", SENTINEL2, *JUNE, "--json")

    assert [len(filled(*words, *more).stdout.splitlines()) for more in ((), ("-n", "2"))] == [9, 2]


def test_an_instant_without_datapoints_says_how_intervals_are_written(filled: Cli) -> None:
    """Who writes 2020 means the year."""
    instant = filled("dataset", "query", SENTINEL2, "--time", "2020")
    interval = filled("dataset", "query", SENTINEL2, "--time", "2019/2020")

    assert instant.stderr == "No datapoint matches. 2020 is one instant: an interval is START/END.\n"
    assert interval.stderr == "No datapoint matches.\n"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("get", "nope"), 4, "No such dataset 'nope'"),
        (("query", "nope", "--time", "2020-01-01"), 4, "No such dataset 'nope'"),
        (("query", SENTINEL2, "--time", "2020-13"), 2, "The time '2020-13' cannot be read"),
        (("query", SENTINEL2, "--time", "/2020"), 2, "--time takes START/END"),
        (("query", SENTINEL2, *JUNE, "--where", "nope < 3"), 2, "There is no field 'nope'"),
        (("query", SENTINEL2, *JUNE, "--where", "cloud_cover ~ 3"), 2, "--where takes FIELD OPERATOR VALUE"),
        (("query", SENTINEL2, *JUNE, "--where", "cloud_cover < x"), 2, "--where compares cloud_cover"),
        (("query", SENTINEL2, *JUNE, "--area", "nowhere"), 2, "--area 'nowhere' is no"),
        (("query", SENTINEL2, *JUNE, "--collection", "nope"), 4, "No such collection nope"),
        (("query", SENTINEL2, *JUNE, "--area", "nan,0,1,1"), 2, "is no WEST,SOUTH,EAST,NORTH"),
        (("query", SENTINEL2, *JUNE, "--where", "cloud_cover < 9 and x > 1"), 2, "and may be given several times."),
        (("query", "open_data.umbra.sar", *JUNE), 4, "'tilebox-celery dataset create open_data.umbra.sar --open-data'"),
        (("ingest", SENTINEL2, str(ITEMS), "-c", "nope"), 4, "No such collection nope: '--create' makes it."),
        (("export", SENTINEL2, "out.xlsx", *JUNE), 2, "must end with one of"),
        (("export", SENTINEL2, "nowhere/out.nc", *JUNE), 2, "nowhere/out.nc cannot be written: No such file or"),
        (("ingest", SENTINEL2, "nope.json"), 2, "nope.json cannot be read: there is no such file."),
        (("ingest", "my.own", "nope.json", "--create"), 2, "--collection is missing"),
        (("create", "Bad Name", "--field", "x:int64"), 2, "cannot be used"),
        (("create", "my.own", "--field", "x"), 2, "--field takes NAME:TYPE"),
        (("create", "my.own", "--field", "x:number"), 2, "has the unknown type 'number'"),
        (("create", "open_data.nope", "--open-data"), 4, "No such open dataset"),
    ],
)
def test_mistakes_are_one_sentence(filled: Cli, words: tuple[str, ...], code: int, sentence: str) -> None:
    """Each mistake of a person is one sentence on stderr, with the exit code of its kind."""
    done = filled("dataset", *words)

    assert (done.code, done.stdout) == (code, "")
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_ingest_into_no_dataset_says_what_makes_it(cli: Cli, ledger_url: str) -> None:
    """Who has forgotten --create reads of it."""
    done = cli("dataset", "ingest", SENTINEL2, str(STAC / "sentinel-2-l2a-africa-2020-06-06.json"))

    assert (done.code, "--create" in done.stderr, done.stderr.count("\n")) == (4, True, 1)


@pytest.mark.parametrize("slug", [SENTINEL2, "my.own"])
def test_a_source_that_cannot_be_used_leaves_nothing_behind(
    cli: Cli, ledger_url: str, tmp_path: Path, slug: str
) -> None:
    """Neither an empty dataset nor an empty collection: --create makes them of data that were read."""
    file = tmp_path / "rows.json"
    file.write_text(
        json.dumps([{"time": "2024-08-01", "granule_name": "a"}, {"time": "2024-08-02", "granule_name": 7}])
    )
    words = ("dataset", "ingest", slug, str(file), "--collection", "x", "--create")

    first = cli(*words)
    none = cli("dataset", "list", "--json").document
    cli("dataset", "create", slug, "--field", "granule_name:string")
    second = cli(*words)

    assert (first.code, second.code, none) == (2, 2, [])
    assert "granule_name" in first.stderr
    assert "Row 1, field 'granule_name'" in second.stderr
    assert cli("dataset", "get", slug, "--json").document["collections"] == []
    file.write_text(json.dumps([{"time": "2024-08-01", "granule_name": "a"}]))
    assert cli(*words, "--json").document == [{"dataset": slug, "collection": "x", "read": 1, "stored": 1}]


def test_a_bucket_of_which_nothing_can_be_made_is_refused_without_a_login(cli: Cli, ledger_url: str) -> None:
    """The sentence names what to give instead."""
    done = cli("dataset", "ingest", "open_data.copernicus.landsat8_oli_tirs", "s3://usgs-landsat/x", "--create")

    assert done.code != 0
    assert "such as https://landsatlook.usgs.gov/" in done.stderr


@pytest.mark.parametrize(
    ("missing", "command"), [("adbc_driver_postgresql", "list"), ("pyarrow", "ingest open_data.umbra.sar s3://x/y")]
)
def test_a_missing_extra_is_named(missing: str, command: str, ledger_url: str) -> None:
    """Without the packages of an extra a command says how to install it, in one sentence."""
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        f"sys.argv = ['tilebox-celery', 'dataset', *{command.split()!r}]\n"
        "from tilebox_celery.cli.main import main; sys.exit(main())"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert missing in done.stderr
    assert "pip install 'tilebox-celery[" in done.stderr
