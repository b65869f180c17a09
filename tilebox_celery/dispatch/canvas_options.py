"""Read the execution options of a signature: what a job can honour, what has no meaning here, what is refused."""

from collections.abc import Mapping
from typing import Any

from tilebox_celery.dispatch import canvas_json
from tilebox_celery.dispatch.canvas_shape import Leaf
from tilebox_celery.errors import CanvasError

REFUSED: Mapping[str, str] = {
    "link": "has a callback (link), but a canvas job runs only what its graph shows: make the callback the next step "
    "of a chain, or the body of a chord",
    "link_error": "has an error callback (link_error), which a canvas job does not call: look at job.state and "
    "jobs.tasks(job), or handle the error in the task",
    "countdown": "has a countdown, but a canvas job starts at once: submit it when it is due",
    "eta": "has an eta, but a canvas job starts at once: submit it when it is due",
    "expires": "expires, but a task of a canvas job waits as long as it must: cancel the job instead",
    "time_limit": "has a time limit, which a canvas job does not enforce: bound the time in the task itself",
    "soft_time_limit": "has a time limit, which a canvas job does not enforce: bound the time in the task itself",
    "chord": "is frozen as a part of a chord: submit a canvas that was neither frozen nor sent",
    "chain": "is frozen as a part of a chain: submit a canvas that was neither frozen nor sent",
}
"""Options that change what happens, and that no ledger job can honour."""

TRANSPORT = frozenset(
    (
        "add_to_parent",
        "app",
        "argsrepr",
        "compression",
        "confirm_timeout",
        "connection",
        "correlation_id",
        "declare",
        "delivery_mode",
        "exchange",
        "exchange_type",
        "group_id",
        "group_index",
        "immediate",
        "interval",
        "kwargsrepr",
        "mandatory",
        "max_retries",
        "origin",
        "parent_id",
        "priority",
        "producer",
        "propagate",
        "publisher",
        "queue",
        "replaced_task_nesting",
        "reply_to",
        "result_cls",
        "retries",
        "retry",
        "retry_policy",
        "root_id",
        "route_name",
        "router",
        "routing_key",
        "task_id",
        "task_type",
        "timeout",
    )
)
"""Options about messages, which the ledger does not send; the cluster routes, and the ledger draws the ids."""

HONOURED = frozenset(("headers", "ignore_result", "serializer", "shadow", "stamped_headers"))


def check_options(options: Mapping[str, Any], who: str, *, of_leaf: bool) -> None:
    """Refuse options that a canvas job cannot honour.

    Args:
        options: Of a signature.
        who: Path and name, for the message.
        of_leaf: It is one task, not a chain, group or chord.

    Raises:
        CanvasError: An option is refused or unknown.
    """
    stamps = options.get("stamped_headers") or ()
    for name, value in options.items():
        if name in TRANSPORT or name in stamps or value is None:
            continue
        if name in REFUSED:
            if value not in ((), [], False):
                raise CanvasError(f"{who} {REFUSED[name]}.")
        elif name == "serializer" and value != "json":
            raise CanvasError(
                f"{who} is to be serialized as {value!r}, but a canvas job carries JSON: use serializer='json'."
            )
        elif name == "headers" and value and not of_leaf:
            raise CanvasError(f"{who} has headers: set them on its tasks, which is who can read them.")
        elif name not in HONOURED:
            raise CanvasError(f"{who} has the option {name!r}, which a canvas job does not know: leave it out.")


def read_options(leaf: Leaf, options: Mapping[str, Any], who: str) -> None:
    """Keep what a task can see of its options: headers, stamps, and the name that it is shown under.

    Raises:
        CanvasError: Headers or stamps are not JSON.
    """
    leaf.shadow = options.get("shadow") or None
    leaf.headers = dict(options.get("headers") or {})
    stamps = [str(name) for name in options.get("stamped_headers") or ()]
    leaf.stamps = {name: options[name] for name in sorted(stamps) if name in options}
    for what, values in (("headers", leaf.headers), ("stamps", leaf.stamps)):
        if values:
            check_json(values, f"{who} has {what} that are")


def check_json(value: Any, what: str) -> bytes:
    """Return a value as JSON.

    Args:
        value: To be stored.
        what: Start of the sentence, such as ``chain[0] (add) has arguments that are``.

    Raises:
        CanvasError: It is not JSON.
    """
    try:
        return canvas_json.dump(value)
    except (TypeError, ValueError) as error:
        raise CanvasError(f"{what} not JSON: {error}.") from error
