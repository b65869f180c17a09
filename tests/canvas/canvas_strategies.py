"""Random canvases of the project's tasks."""

from typing import Any

from canvas_project import mix
from celery import chain, chord, group
from hypothesis import strategies as st

numbers = st.integers(0, 9)
calls = st.one_of(
    st.builds(mix.s, numbers),
    st.builds(mix.s),
    st.builds(mix.si, numbers),
    st.builds(mix.map, st.lists(numbers, max_size=2)),
    st.builds(mix.starmap, st.lists(st.tuples(numbers, numbers), max_size=2)),
)


def _larger(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(parts, min_size=1, max_size=4).map(chain),
        st.lists(parts, min_size=0, max_size=3).map(group),
        st.builds(chord, st.lists(parts, min_size=0, max_size=3), parts),
    )


def eager_agrees_with_workers(signature: Any) -> bool:
    """Return False for chains that hold a group of one, which Celery's workers unroll and its eager mode does not."""
    kind, kwargs = signature["task"], signature["kwargs"]
    if kind == "celery.chain":
        parts = list(kwargs["tasks"])
        if any(part["task"] == "celery.group" and _members(part) == 1 for part in parts):
            return False
    elif kind == "celery.group":
        parts = list(kwargs["tasks"])
    elif kind == "celery.chord":
        parts = [*kwargs["header"], kwargs["body"]]
    else:
        parts = []
    return all(map(eager_agrees_with_workers, parts))


def _members(signature: Any) -> int:
    if signature["task"] != "celery.group":
        return 1
    return sum(_members(part) for part in signature["kwargs"]["tasks"])


canvases: st.SearchStrategy[Any] = st.recursive(calls, _larger, max_leaves=12)
