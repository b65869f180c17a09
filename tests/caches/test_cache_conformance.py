"""What each cache backend promises, whichever it is."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tilebox_celery.caches import InMemoryCache, JobCache, LocalFileSystemCache
from tilebox_celery.caches.stored import StoredCache
from tilebox_celery.errors import CacheKeyError, NotFoundError

ESCAPES = [
    "",
    "/",
    "/etc/x",
    "a/",
    "a//b",
    ".",
    "..",
    "../x",
    "a/../../b",
    "a/./b",
    "a\\b",
    "..\\x",
    "nul\0byte",
    "line\nbreak",
    "tab\t",
    "\x1b[31m",
    "\x9b31m",
    "\ud800",
    "x" * 5000,
    "x" * 255,
    "%" * 85,
    "/".join(["x" * 200] * 5),
]
ORDINARY = [
    "..%2f",
    "%",
    "a%",
    "%25",
    "a%25",
    "100%",
    "%tmp",
    "%tmp/x",
    "...",
    ".hidden",
    "trailing.",
    "trailing ",
    "CON",
    "aux.txt",
    "case",
    "Case",
    "~",
    "*?[a]",
    "-rf",
    "ümlaut",
    "日本",
    "🛰",
    "x" * 254,
    "/".join(["x" * 200] * 4),
]


@pytest.mark.clause("1.8-1")
def test_a_value_comes_back(cache: JobCache) -> None:
    """What was stored is read back, byte for byte, and the last value wins."""
    cache["movies"] = b"first"

    cache["movies"] = bytes(range(256)) * 5000
    cache["empty"] = b""

    assert cache["movies"] == bytes(range(256)) * 5000
    assert cache["empty"] == b""
    assert "empty" in cache


@pytest.mark.clause("1.8-7")
@pytest.mark.parametrize("key", ["nothing", "no/such/key"])
def test_a_missing_key_is_a_key_error(cache: JobCache, key: str) -> None:
    """A missing key is a KeyError that says which key is not cached."""
    with pytest.raises(KeyError) as missing:
        cache[key]
    with pytest.raises(NotFoundError) as undeletable:
        del cache[key]

    assert str(missing.value) == str(undeletable.value) == f"{key} is not cached!"
    assert key not in cache


@pytest.mark.clause("1.8-5")
def test_slashes_and_groups_are_the_same(cache: JobCache) -> None:
    """A slash in a key is a group, written in one piece or step by step."""
    cache["g/n/v"] = b"1"
    cache.group("g").group("m")["v"] = b"2"
    cache.group("g/m")["w"] = b"3"

    assert cache.group("g").group("n")["v"] == cache.group("g/n")["v"] == cache.group("g")["n/v"] == b"1"
    assert cache["g/m/v"] == b"2"
    assert cache["g/m/w"] == b"3"
    assert "g/m/w" in cache
    assert "n/v" in cache.group("g")


@pytest.mark.clause("1.8-6")
def test_iteration_lists_direct_keys_only(cache: JobCache) -> None:
    """Iteration gives the keys directly in the group, sorted, relative to it, and no groups."""
    for key in ("b", "a", "c/d", "c/B", "c/e/f", "Z"):
        cache[key] = key.encode()

    assert list(cache) == ["Z", "a", "b"]
    assert list(cache.group("c")) == ["B", "d"]
    assert list(cache.group("c/e")) == ["f"]
    assert list(cache.group("never")) == []
    assert list(cache.items()) == [("Z", b"Z"), ("a", b"a"), ("b", b"b")]


@pytest.mark.clause("1.8-6")
def test_a_group_is_no_member(cache: JobCache) -> None:
    """Membership is about values: a group is none, and neither is a group that nobody wrote to."""
    cache["g/v"] = b"1"
    cache.group("opened")

    assert "g" not in cache
    assert "opened" not in cache
    with pytest.raises(KeyError):
        cache["g"]


@pytest.mark.clause("1.8-10")
@pytest.mark.parametrize("value_first", [True, False])
def test_a_name_may_be_value_and_group(cache: JobCache, value_first: bool) -> None:
    """One name can be a value and a group, in either order, and both live their own lives."""
    keys = ["x", "x/y", "x/y/z"]
    for key in keys if value_first else reversed(keys):
        cache[key] = key.encode()

    cache["x"] = b"again"

    assert cache["x"] == b"again"
    assert cache["x/y"] == b"x/y"
    assert cache["x/y/z"] == b"x/y/z"
    assert list(cache) == ["x"]
    assert list(cache.group("x")) == ["y"]
    del cache["x"]
    assert "x" not in cache
    assert "x/y" in cache


@pytest.mark.clause("2.caches-1")
def test_delete_removes_one_key(cache: JobCache) -> None:
    """Deleting removes that key and nothing else."""
    cache["g/a"] = b"1"
    cache["g/b"] = b"2"

    del cache["g/a"]

    assert "g/a" not in cache
    assert list(cache.group("g").items()) == [("b", b"2")]


@pytest.mark.clause("1.8-4")
@pytest.mark.parametrize("value", ["text", bytearray(b"x"), memoryview(b"x"), None, 1, ["x"]])
def test_a_value_is_bytes(cache: JobCache, value: object) -> None:
    """A value of another type is refused with its type and the way out, and nothing is stored."""
    with pytest.raises(TypeError, match=rf"A cache value is bytes, but got {type(value).__name__} for 'key': encode"):
        cache["key"] = value  # type: ignore[assignment]

    assert "key" not in cache


@pytest.mark.clause("1.8-4")
@pytest.mark.parametrize("key", [b"bytes", 1, None, ("a", "b"), Path("a")])
def test_a_key_is_str(cache: JobCache, key: str) -> None:
    """A key of another type is refused wherever it is used."""
    sentence = f"A cache key is a str, but got {type(key).__name__}."

    for use in uses(cache):
        with pytest.raises(TypeError) as refused:
            use(key)

        assert str(refused.value) == sentence


@pytest.mark.clause("1.8-10")
@pytest.mark.parametrize("key", ESCAPES, ids=ascii)
def test_a_key_that_could_leave_its_group_is_refused(cache: JobCache, key: str, tmp_path: Path) -> None:
    """Traversal, empty segments, backslashes, control characters and long keys are refused in every use."""
    before = sorted(tmp_path.rglob("*"))

    for use in uses(cache):
        with pytest.raises(CacheKeyError) as refused:
            use(key)

        message = str(refused.value)
        assert message.startswith("Cache key '")
        assert message.isascii()
        assert message.isprintable()
        assert len(message) < 300

    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.clause("1.8-10")
def test_odd_but_harmless_keys_are_all_distinct(cache: JobCache) -> None:
    """Percent signs, case pairs, trailing dots and names that mean something elsewhere are plain keys of their own."""
    for key in ORDINARY:
        cache[key] = key.encode()

    assert {key: cache[key] for key in ORDINARY} == {key: key.encode() for key in ORDINARY}
    assert list(cache) == sorted(key for key in ORDINARY if "/" not in key)
    for key in ORDINARY:
        del cache[key]
    assert list(cache) == []


@pytest.mark.clause("1.8-10")
def test_the_two_spellings_of_an_accent_are_one_key(cache: JobCache) -> None:
    """A key in decomposed Unicode, as some systems write file names, is the same key as the composed one."""
    cache["cafe\u0301"] = b"1"

    assert cache["caf\u00e9"] == b"1"
    assert list(cache) == ["caf\u00e9"]


@pytest.mark.clause("1.8-8")
def test_the_groups_of_two_jobs_do_not_see_each_other(cache: JobCache) -> None:
    """What one job stores is not in the cache of another one."""
    one, other = (
        cache.group("018dd029-58ca-74e5-8b58-b4f99d610f9a"),
        cache.group("018dd02a-2bd4-7e76-8a24-fe3d8b1ee1b2"),
    )

    one["tile"] = b"1"

    assert "tile" not in other
    assert list(other) == []


@pytest.mark.clause("1.8-10")
def test_writing_while_iterating_is_allowed(cache: JobCache) -> None:
    """An iteration goes over the keys of its start, whatever is written or deleted meanwhile."""
    for key in "abc":
        cache[key] = b"1"

    seen = []
    for key, _ in cache.items():  # noqa: PERF102  # a JobCache has no keys()
        seen.append(key)
        cache[key + "2"] = b"2"
        if key == "a":
            del cache["b"]

    assert seen == ["a", "c"]


@pytest.mark.clause("2.caches-2")
def test_threads_never_see_a_torn_value(cache: JobCache) -> None:
    """Threads that overwrite, delete and read one key see whole values only."""
    letters = b"ABCD"

    def write(letter: int) -> None:
        for turn in range(20):
            cache["shared"] = bytes([letter]) * 100_000
            cache[f"shared/{letter}"] = bytes([turn])
            if turn % 7 == 0:
                cache.group("shared").group("deep")[f"{turn}"] = b""

    def read() -> set[int]:
        seen = set()
        for _ in range(100):
            try:
                value = cache["shared"]
            except KeyError:
                continue
            assert len(value) == 100_000
            assert len(set(value)) == 1
            seen.add(value[0])
        return seen

    with ThreadPoolExecutor(6) as pool:
        writers = [pool.submit(write, letter) for letter in letters]
        readers = [pool.submit(read) for _ in range(2)]
        for writer in writers:
            writer.result()
        seen = set.union(*(reader.result() for reader in readers))

    assert seen <= set(letters)
    assert list(cache.group("shared")) == [str(letter) for letter in letters]
    assert cache["shared"][0] in letters


@pytest.mark.parametrize("backend", [InMemoryCache, LocalFileSystemCache])
def test_clear_removes_a_group_with_its_subgroups(
    backend: type[StoredCache], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clearing a group removes all below it, and leaves its neighbours and the value of the same name."""
    monkeypatch.chdir(tmp_path)
    cache = backend()
    for key in ("job/a", "job/b/c", "job/b", "job", "job2/a"):
        cache[key] = b"1"

    cache.group("job").clear()
    cache.group("never").clear()

    assert list(cache.group("job")) == list(cache.group("job/b")) == []
    assert list(cache) == ["job"]
    assert "job2/a" in cache
    cache["job"] = b"2"
    cache["job/a"] = b"3"
    assert cache["job"] == b"2"
    assert cache["job/a"] == b"3"


@pytest.mark.parametrize("backend", [InMemoryCache, LocalFileSystemCache])
def test_a_deleted_key_does_not_come_back(
    backend: type[StoredCache], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key that was value and group, then only value, is gone when deleted: no older value shows up."""
    monkeypatch.chdir(tmp_path)
    cache = backend()
    cache["x"] = b"old"
    cache["x/y"] = b"1"
    cache.group("x").clear()
    cache["x"] = b"new"
    assert cache["x"] == b"new"

    del cache["x"]

    assert "x" not in cache
    assert list(cache) == []


def uses(cache: JobCache) -> list:
    """Return all ways to hand a key to a cache."""
    return [
        lambda key: key in cache,
        lambda key: cache[key],
        lambda key: cache.__setitem__(key, b"x"),
        cache.__delitem__,
        cache.group,
        lambda key: cache.group("inner").__setitem__(key, b"x"),
    ]
