"""Random calls, played on every built-in cache and on a plain dictionary."""

import tempfile

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tilebox_celery.caches import InMemoryCache, LocalFileSystemCache

KEYS = st.lists(st.sampled_from(["a", "a%", "ü"]), min_size=1, max_size=3).map("/".join)


class EveryBackendIsADictionary(RuleBasedStateMachine):
    """Play the same random calls on all backends and on a plain dictionary."""

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.caches = [InMemoryCache(), LocalFileSystemCache(self.folder.name)]
        self.model: dict[str, bytes] = {}

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    @rule(key=KEYS, value=st.binary(max_size=3))
    def put(self, key: str, value: bytes) -> None:
        self.model[key] = value
        for cache in self.caches:
            cache[key] = value

    @rule(group=KEYS, key=KEYS, value=st.binary(max_size=3))
    def put_in_group(self, group: str, key: str, value: bytes) -> None:
        self.model[f"{group}/{key}"] = value
        for cache in self.caches:
            cache.group(group)[key] = value

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        existed = self.model.pop(key, None) is not None
        for cache in self.caches:
            if existed:
                del cache[key]
            else:
                with pytest.raises(KeyError):
                    del cache[key]

    @rule(group=KEYS)
    def clear(self, group: str) -> None:
        self.model = {key: value for key, value in self.model.items() if not key.startswith(group + "/")}
        for cache in self.caches:
            cache.group(group).clear()

    @rule(key=KEYS)
    def get(self, key: str) -> None:
        for cache in self.caches:
            assert (key in cache) == (key in self.model)
            if key in self.model:
                assert cache[key] == self.model[key]

    @rule(group=KEYS)
    def list_group(self, group: str) -> None:
        inside = {
            key.removeprefix(group + "/"): value for key, value in self.model.items() if key.startswith(group + "/")
        }
        for cache in self.caches:
            assert list(cache.group(group).items()) == sorted((k, v) for k, v in inside.items() if "/" not in k)

    @invariant()
    def same_root(self) -> None:
        if hasattr(self, "caches"):
            for cache in self.caches:
                assert list(cache) == sorted(key for key in self.model if "/" not in key)


EveryBackendIsADictionary.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestEveryBackendIsADictionary = EveryBackendIsADictionary.TestCase
