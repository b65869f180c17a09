"""Clusters: names for places where tasks may run."""

import re
import secrets
import string
from dataclasses import dataclass, field

from tilebox_celery.errors import ArgumentError

_ALPHABET = string.ascii_letters + string.digits
_SUFFIX_LENGTH = 14
_MAX_NAME = 128


@dataclass(frozen=True, slots=True)
class Cluster:
    """A place where tasks may run; runners join it, and tasks are submitted to it.

    Example:
        >>> Cluster("testing-CvufcSxcC9SKfe", "testing")
        Cluster(slug='testing-CvufcSxcC9SKfe', display_name='testing')
    """

    slug: str
    display_name: str
    description: str = field(default="", repr=False)
    deletable: bool = field(default=True, repr=False)
    """Whether no task runs or could run in it now; tasks that wait, or whose job is canceled, still refuse to go."""


def new_cluster_slug(name: str) -> str:
    """Make a slug for a new cluster: its name in lower case and 14 random letters and digits.

    Args:
        name: The display name.

    Raises:
        ArgumentError: The name is no text, empty, too long, or not printable.

    Example:
        >>> new_cluster_slug("Near Real Time")[:-14]
        'near-real-time-'
    """
    if not isinstance(name, str):
        raise ArgumentError(f"The name of a cluster is a text, not {name!r:.80}.")
    if not name.strip() or len(name) > _MAX_NAME or not name.isprintable():
        raise ArgumentError(f"A cluster needs a printable name of 1 to {_MAX_NAME} characters, not {name[:64]!r}.")
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "cluster"
    return f"{words}-{''.join(secrets.choice(_ALPHABET) for _ in range(_SUFFIX_LENGTH))}"
