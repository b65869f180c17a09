"""Build a Celery Signature from the normal form of a canvas: reading it again gives the same form."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from celery import Celery, Signature, chain, chord, chunks, group
from celery.canvas import xmap, xstarmap

from tilebox_celery.dispatch.canvas_shape import Group, Leaf, Steps


def build_signature(steps: Steps, app: Celery | None = None) -> Any:
    """Return a canvas as a Signature.

    Args:
        steps: At least one.
        app: Whose tasks they are; without one, Celery takes the app of the process when the signature is called.
    """
    behind: deque[Any] = deque()  # signatures of the steps behind the one at hand
    for step in reversed(steps):
        if isinstance(step, Leaf):
            behind.appendleft(_leaf(step, app))
        elif step.chunks_of is not None:
            behind.appendleft(_chunks(step, app))
        else:
            members = [build_signature(member, app) for member in step.members]
            joined = chord(members, _sequence(behind, app), app=app) if behind else group(members, app=app)
            behind = deque([joined])
    return _sequence(behind, app)


def _sequence(signatures: Sequence[Any], app: Celery | None) -> Any:
    if len(signatures) == 1:
        return signatures[0]
    made = chain(*signatures)
    made._app = app
    return made


def _leaf(leaf: Leaf, app: Celery | None) -> Any:
    options: dict[str, Any] = {}
    if leaf.headers:
        options["headers"] = dict(leaf.headers)
    if leaf.stamps:
        options |= {"stamped_headers": sorted(leaf.stamps), **leaf.stamps}
    if leaf.shadow:
        options["shadow"] = leaf.shadow
    if leaf.ignores_result:
        options["ignore_result"] = True
    if leaf.loop is not None:
        kind = xmap if leaf.loop == "map" else xstarmap
        return kind(Signature(leaf.task, app=app), list(leaf.args), app=app, **options)
    return Signature(leaf.task, tuple(leaf.args), dict(leaf.kwargs), options, immutable=leaf.immutable, app=app)


def _chunks(step: Group, app: Celery | None) -> Any:
    items = [item for member in step.members for leaf in member if isinstance(leaf, Leaf) for item in leaf.args]
    return chunks(Signature(step.chunks_of, app=app), items, step.chunk_size, app=app)
