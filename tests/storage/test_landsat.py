"""Landsat scenes come from the bucket of USGS, and whoever asks for them pays."""

import json
from pathlib import Path

import pytest

from tests.storage.faulty_server import Fault
from tests.storage.providers import LANDSAT, SCENE, Provider
from tests.storage.test_storage_conformance import contents
from tilebox_celery.datasets.open_data.catalog import find_open_dataset
from tilebox_celery.errors import ArgumentError, AuthenticationError
from tilebox_celery.storage import USGSLandsatStorageClient

ITEMS = Path(__file__).parents[1] / "data" / "stac" / "landsat-c2-l2.json"


@pytest.mark.clause("2.storage-1")
def test_every_request_says_who_pays(landsat: Provider, tmp_path: Path) -> None:
    """Listings, single objects and whole scenes are asked for with a signature and as requester pays."""
    client = landsat.client(tmp_path / "data")

    names = client.list_objects(landsat.datapoint)
    client.download_objects(landsat.datapoint, names[:1])
    path = client.download(landsat.datapoint)

    assert contents(path) == landsat.files
    assert {each.headers.get("x-amz-request-payer") for each in landsat.log.requests} == {"requester"}
    assert all("Credential=key/" in each.headers["authorization"] for each in landsat.log.requests)


def test_scenes_of_the_catalog_are_found(landsat: Provider, tmp_path: Path) -> None:
    """The location that the catalog takes from an item of USGS, whose hrefs are web addresses, names the same scene."""
    item = json.loads(ITEMS.read_bytes())["features"][0]
    folder = f"https://landsatlook.usgs.gov/data/{LANDSAT}"
    item["assets"] = {"blue": {**item["assets"]["blue"], "href": f"{folder}/{SCENE}_B2.TIF"}}
    item["id"] = SCENE
    [table] = find_open_dataset("open_data.copernicus.landsat8_oli_tirs").items_to_tables([item]).values()
    [row] = table.to_pylist()
    assert row["location"] == folder

    assert contents(landsat.client(tmp_path).download(row)) == landsat.files


def test_scenes_elsewhere_are_refused(landsat: Provider, tmp_path: Path) -> None:
    """A location in another archive is no key of this bucket."""
    location = "https://landsateuwest.blob.core.windows.net/landsat-c2/level-2/standard/oli-tirs/2024/089/090/LC09"

    with pytest.raises(ArgumentError, match=r"landsateuwest.*not in the bucket usgs-landsat: take"):
        landsat.client(tmp_path).download({"granule_name": "LC09", "location": location})
    assert landsat.log.requests == []


def test_missing_login_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the two keys is a ValueError that names provider, argument and variable."""
    with pytest.raises(
        ValueError, match=r"USGS Landsat \(AWS\) needs a login: pass access_key= or set AWS_ACCESS_KEY_ID"
    ):
        USGSLandsatStorageClient(tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    with pytest.raises(ValueError, match="pass secret_access_key= or set AWS_SECRET_ACCESS_KEY"):
        USGSLandsatStorageClient(tmp_path)


def test_keys_that_expire_have_their_token(landsat: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token of the environment goes with the key of the environment, and not with another one."""
    landsat.client(tmp_path).list_objects(landsat.datapoint)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, f"env-{name[-3:].lower()}")
    landsat.client(tmp_path).list_objects(landsat.datapoint)
    landsat.client(tmp_path, access_key=None, secret_access_key=None).list_objects(landsat.datapoint)

    tokens = [each.headers.get("x-amz-security-token") for each in landsat.log.requests]
    assert tokens == [None, None, "env-ken"]


def test_refused_keys_are_told(landsat: Provider, tmp_path: Path) -> None:
    """403 says what to check, and that the account pays."""
    body = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"
    landsat.log.always = Fault(status=403, headers={"Content-Type": "application/xml"}, body=body)

    with pytest.raises(AuthenticationError, match=r"USGS Landsat.*\(AccessDenied\).*the requester pays"):
        landsat.client(tmp_path).download(landsat.datapoint)
