"""A STAC API is read page by page, waited for when it is busy, and given up with one sentence."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from stac_api_server import Answer, StacServer

from tilebox_celery.datasets import stac
from tilebox_celery.datasets.stac import http_json
from tilebox_celery.errors import ArgumentError, CatalogUnavailable


def read_all(source: Any) -> list[dict[str, Any]]:
    """Return the items of all chunks."""
    return [item for items in stac.read_items(source) for item in items]


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


def test_all_pages_of_a_search_are_read(stac_server: StacServer, sentinel2_items: list[dict[str, Any]]) -> None:
    """The next link is followed, relative or not, until a page has none; an empty page is no end."""

    def page(path: str, body: Any) -> Answer:
        token = int(parse_qs(urlsplit(path).query).get("token", ["0"])[0])
        links = [{"rel": "next", "href": f"search?collections=s2&token={token + 1}"}] if token < 3 else []
        items = [] if token == 1 else sentinel2_items[token * 3 : token * 3 + 3]
        return Answer({"type": "FeatureCollection", "features": items, "links": links})

    stac_server.respond = page

    items = read_all(f"{stac_server.url}/search?collections=s2")

    assert items == sentinel2_items[:3] + sentinel2_items[6:12]
    assert [path for _, path, _ in stac_server.asked] == [
        "/search?collections=s2",
        *(f"/search?collections=s2&token={token}" for token in (1, 2, 3)),
    ]


def test_a_next_link_may_ask_for_a_post(stac_server: StacServer, sentinel1_items: list[dict[str, Any]]) -> None:
    """Method, body, headers and merge of a link are obeyed."""

    def page(path: str, body: Any) -> Answer:
        number = {None: 0, "b": 1, "c": 2}[body and body["token"]]
        link = {"rel": "next", "href": "/more", "method": "POST", "headers": {"X-Page": str(number)}}
        link["body"] = {"token": "b", "limit": 1} if number == 0 else {"token": "c"}
        link["merge"] = number == 1
        return Answer({"features": sentinel1_items[number : number + 1], "links": [link] if number < 2 else []})

    stac_server.respond = page

    items = read_all(f"{stac_server.url}/search")

    assert items == sentinel1_items[:3]
    assert stac_server.asked[1:] == [
        ("POST", "/more", {"token": "b", "limit": 1}),
        ("POST", "/more", {"token": "c", "limit": 1}),
    ]
    assert [headers.get("X-Page") for headers in stac_server.headers] == [None, "0", "1"]


def test_a_busy_server_is_asked_again_when_it_says(
    stac_server: StacServer, pauses: list[float], sentinel1_items: list[dict[str, Any]]
) -> None:
    """Retry-After in seconds and as a date is honoured; without it the pauses grow; nothing is read twice."""
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    answers = [
        Answer({}, 429, {"Retry-After": "7"}),
        Answer(b"<html>busy</html>", 503, {"Retry-After": later}),
        Answer(b"", 502),
        Answer({"features": sentinel1_items}, cut_short=True),
        Answer({"features": sentinel1_items}),
    ]
    stac_server.respond = lambda path, body: answers.pop(0)

    assert read_all(f"{stac_server.url}/search") == sentinel1_items
    assert pauses[0] == 7
    assert 25 < pauses[1] <= 30
    assert pauses[2:] == [2.0, 4.0]


def test_a_server_that_keeps_failing_is_given_up(stac_server: StacServer, pauses: list[float]) -> None:
    """After some attempts the error says what the server answers."""
    stac_server.respond = lambda path, body: Answer({}, 503)

    with pytest.raises(CatalogUnavailable, match="cannot be read after 5 attempts: the server answers 503 Service"):
        read_all(f"{stac_server.url}/search")
    assert len(stac_server.asked) == http_json.ATTEMPTS
    assert len(pauses) == http_json.ATTEMPTS - 1


def test_a_long_wait_is_left_to_the_user(stac_server: StacServer, pauses: list[float]) -> None:
    """A server that wants to be left alone for an hour is not waited for."""
    stac_server.respond = lambda path, body: Answer({}, 429, {"Retry-After": "3600"})

    with pytest.raises(CatalogUnavailable, match="asks to come back in 3600 seconds"):
        read_all(f"{stac_server.url}/search")
    assert pauses == []


def test_a_server_out_of_reach_is_named(stac_server: StacServer, pauses: list[float]) -> None:
    """No connection is tried again, then told."""
    with pytest.raises(
        CatalogUnavailable, match=r"http://127.0.0.1:9/search cannot be read after 5 attempts: .*refused"
    ):
        read_all("http://127.0.0.1:9/search")
    assert pauses == [0.5, 1.0, 2.0, 4.0]


REFUSED = [
    (Answer({"description": "unknown collection 'x'"}, 400), "answers 400 Bad Request .*unknown collection 'x'"),
    (
        Answer(b"<html>Log in</html>", 200, {"Content-Type": "text/html"}),
        "answers with text/html that is no JSON .*Log in",
    ),
    (Answer(b"<html>Gone</html>", 404), "answers 404 Not Found[.]$"),
    (
        Answer({"features": [], "links": [{"rel": "next", "href": "/search"}]}),
        "names itself or an earlier page as next",
    ),
    (
        Answer({"features": [], "links": [{"rel": "next", "href": "file:///etc/passwd"}]}),
        "only http and https URLs are",
    ),
    (Answer({"numberMatched": 3}), "holds no STAC items but 'some other JSON object'"),
    (
        Answer({"type": "Catalog", "links": [{"rel": "search", "href": "/v1/search"}]}),
        r"is the landing page of a STAC API: pass a search, such as http://.*/v1/search\?collections=",
    ),
]


@pytest.mark.parametrize(("answer", "message"), REFUSED, ids=[message[-30:] for _, message in REFUSED])
def test_other_answers_are_refused(stac_server: StacServer, pauses: list[float], answer: Answer, message: str) -> None:
    """An error page, a page in circles or another document gets one sentence, and is not asked for again."""
    stac_server.respond = lambda path, body: answer

    with pytest.raises(ArgumentError, match=message):
        read_all(f"{stac_server.url}/search")
    assert len(stac_server.asked) == 1


def test_a_static_catalog_is_walked(stac_server: StacServer, sentinel1_items: list[dict[str, Any]]) -> None:
    """Items of children are found by relative links."""
    documents: dict[str, Any] = {
        "/stac/catalog.json": {"type": "Catalog", "links": [{"rel": "child", "href": "./2024/catalog.json"}]},
        "/stac/2024/catalog.json": {
            "type": "Catalog",
            "links": [{"rel": "root", "href": "../catalog.json"}, {"rel": "item", "href": "./a/a.json"}],
        },
        "/stac/2024/a/a.json": sentinel1_items[0],
    }
    stac_server.respond = lambda path, body: Answer(documents[path])

    assert read_all(f"{stac_server.url}/stac/catalog.json") == sentinel1_items[:1]
