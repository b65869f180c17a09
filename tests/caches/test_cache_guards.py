"""The caches that refuse: none at all, one of a superseded attempt, one in the memory of one process."""

from collections.abc import Iterator

import pytest

from tilebox_celery.caches import FencedCache, InMemoryCache, JobCache, LocalFileSystemCache, NoCache, check_pool
from tilebox_celery.errors import ArgumentError, LeaseLost, NoCacheError


class DictCache(JobCache):
    """A backend as a user would write it: the documented methods and nothing else."""

    def __init__(self, values: dict[str, bytes] | None = None, prefix: str = "") -> None:
        self.values = {} if values is None else values
        self.prefix = prefix

    def __contains__(self, key: object) -> bool:
        return f"{self.prefix}{key}" in self.values

    def __setitem__(self, key: str, value: bytes) -> None:
        self.values[self.prefix + key] = value

    def __getitem__(self, key: str) -> bytes:
        return self.values[self.prefix + key]

    def __iter__(self) -> Iterator[str]:
        names = (key.removeprefix(self.prefix) for key in self.values if key.startswith(self.prefix))
        return iter(sorted(name for name in names if "/" not in name))

    def group(self, key: str, /) -> "DictCache":
        return DictCache(self.values, f"{self.prefix}{key}/")


@pytest.mark.clause("1.8-11")
def test_no_cache_refuses_every_use() -> None:
    """Without a cache, each way to use it says at once how to configure one."""
    cache = NoCache()
    uses = [
        lambda: "key" in cache,
        lambda: cache["key"],
        lambda: cache.__setitem__("key", b"x"),
        lambda: cache.__delitem__("key"),
        lambda: iter(cache),
        lambda: list(cache),
        lambda: cache.group("a"),
        lambda: cache.group("a").group("b")["key"],
        cache.items,
    ]

    for use in uses:
        with pytest.raises(NoCacheError) as refused:
            use()

        assert "No cache configured! Specify a cache using the cache argument" in str(refused.value)
        assert isinstance(refused.value, ValueError)


def test_a_superseded_attempt_reads_and_does_not_write() -> None:
    """Once an attempt is no longer current, its writes and deletes raise and change nothing, in subgroups too."""
    cache = InMemoryCache()
    current = True
    fenced = FencedCache(cache, is_current=lambda: current)
    group = fenced.group("tiles")
    fenced["a"] = b"1"
    group["b"] = b"2"

    current = False

    for write in (
        lambda: fenced.__setitem__("a", b"late"),
        lambda: fenced.__delitem__("a"),
        lambda: group.__setitem__("b", b"late"),
        lambda: fenced.group("tiles").__delitem__("b"),
    ):
        with pytest.raises(LeaseLost, match=r"'[ab]' was not (cached|deleted): this attempt's task was given to"):
            write()
    assert list(fenced.items()) == [("a", b"1")]
    assert group["b"] == cache["tiles/b"] == b"2"
    assert "b" in group


def test_a_fence_suits_a_backend_of_the_users_own() -> None:
    """A user's own backend can be fenced like a built-in one."""
    values: dict[str, bytes] = {}
    fenced = FencedCache(DictCache(values), is_current=lambda: True)

    fenced.group("g")["key"] = b"1"

    assert values == {"g/key": b"1"}
    assert list(fenced.group("g")) == ["key"]
    assert "key" in fenced.group("g")


@pytest.mark.clause("1.8-3")
def test_a_users_backend_needs_the_documented_methods_only() -> None:
    """A subclass with the documented five methods is a cache; what it cannot do is said in one sentence."""
    cache = DictCache()
    cache["key"] = b"1"

    with pytest.raises(TypeError, match=r"^DictCache cannot delete 'key': define __delitem__ in it\.$"):
        del cache["key"]

    assert list(cache.items()) == [("key", b"1")]
    assert cache.shared_between_processes


@pytest.mark.clause("1.8-3")
def test_membership_follows_from_reading() -> None:
    """A subclass without __contains__ answers membership by reading the key."""

    class Minimal(DictCache):
        __contains__ = JobCache.__contains__

    cache = Minimal()
    cache["key"] = b""

    assert "key" in cache
    assert "other" not in cache


@pytest.mark.parametrize("fence", [True, False])
def test_a_pool_of_processes_refuses_a_cache_in_memory(fence: bool) -> None:
    """Several processes with a cache in memory are refused with a way out; one process, or a shared cache, is fine."""
    memory: JobCache = InMemoryCache()
    if fence:
        memory = FencedCache(memory, is_current=lambda: True)

    with pytest.raises(ArgumentError, match=r"memory of one process, so the 4 processes .* Use LocalFileSystemCache"):
        check_pool(memory, processes=4)

    check_pool(memory, processes=1)
    check_pool(LocalFileSystemCache(), processes=4)
    check_pool(NoCache(), processes=4)
