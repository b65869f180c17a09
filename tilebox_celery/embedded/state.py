"""What the supervisor says about itself, as one small file that is replaced whole."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from tilebox_celery.embedded.layout import Layout

Status = Literal["starting", "ready", "stopping"]


@dataclass(frozen=True)
class State:
    """One saying of the supervisor."""

    status: Status
    home: str
    sockets: str
    supervisor: int
    postgres: int | None = None
    valkey: int | None = None


def read_state(layout: Layout) -> State | None:
    """Return what the supervisor said last, or None if there is nothing to read."""
    try:
        values = json.loads(layout.state.read_text())
        # A supervisor of another version may say more than we know.
        return State(**{name: values[name] for name in State.__dataclass_fields__})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def write_state(layout: Layout, state: State) -> None:
    """Replace what the supervisor said; a reader sees the old saying or the new one."""
    draft = Path(f"{layout.state}.{os.getpid()}")
    draft.write_text(json.dumps(asdict(state)))
    draft.replace(layout.state)
