"""Name and version of a task class, and the rule by which a runner accepts a submitted version."""

import re
from dataclasses import dataclass
from functools import lru_cache

MAX_NAME = 256
# [0-9] and not \d, which matches digits of all scripts; nine digits fit the integer columns of the ledger.
_VERSION = re.compile(r"v([0-9]{1,9})\.([0-9]{1,9})")


@lru_cache(maxsize=4096)
def parse_version(version: str) -> tuple[int, int]:
    """Split a version into its numbers.

    Raises:
        TypeError: The version is not `vMajor.Minor`.

    Example:
        >>> parse_version("v1.10")
        (1, 10)
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        raise TypeError(f"Invalid version string: {version!r}. Write it as vMajor.Minor, such as v1.0.")
    return int(match[1]), int(match[2])


@dataclass(frozen=True, slots=True)
class TaskIdentifier:
    """Name and version under which a task class is submitted and registered.

    Example:
        >>> TaskIdentifier("tilebox.com/example/Mosaic", "v1.2").minor
        2
    """

    name: str
    version: str = "v0.0"

    @property
    def major(self) -> int:
        """The first number of the version; runners and tasks must agree on it."""
        return parse_version(self.version)[0]

    @property
    def minor(self) -> int:
        """The second number of the version; a runner's must not be lower than the task's."""
        return parse_version(self.version)[1]

    def __str__(self) -> str:
        """Return `name version`, which `parse` reads."""
        return f"{self.name} {self.version}"

    @classmethod
    def parse(cls, value: object) -> "TaskIdentifier":
        """Check an identifier that a user wrote.

        Args:
            value: What `Task.identifier()` returned: a tuple (name, version); or a text `name version` or `name`.

        Raises:
            TypeError: The value, the name or the version cannot be used.

        Example:
            >>> TaskIdentifier.parse("Mosaic v1.2")
            TaskIdentifier(name='Mosaic', version='v1.2')
        """
        if isinstance(value, TaskIdentifier):
            name, version = value.name, value.version
        elif isinstance(value, str):
            head, _, tail = value.rpartition(" ")
            name, version = (head, tail) if head and _VERSION.fullmatch(tail) else (value, "v0.0")
        elif isinstance(value, tuple) and len(value) == 2 and all(isinstance(part, str) for part in value):
            name, version = value
        else:
            raise TypeError(f"Expected a task identifier to be a tuple of two strings (name, version), got {value!r}.")
        check_name(name)
        parse_version(version)
        return cls(name, version)


def check_name(name: str) -> None:
    """Check the name part of an identifier.

    Raises:
        TypeError: It is empty, too long, or holds a character that cannot be stored.
    """
    if not name.strip():
        raise TypeError("A task name is required: identifier() returned an empty one.")
    if len(name) > MAX_NAME:
        raise TypeError(f"The task name is {len(name)} characters long; at most {MAX_NAME} are allowed.")
    if any(char < " " or "\ud800" <= char <= "\udfff" for char in name):
        raise TypeError(f"The task name {name!r} holds a control character; use printable text.")


def accepts(registered: TaskIdentifier, submitted: TaskIdentifier) -> bool:
    """Return whether a runner that registered one version may run a task submitted as another.

    Args:
        registered: What the runner has.
        submitted: What the task was submitted as.

    Returns:
        True if name and major version are equal and the registered minor version is not lower, as numbers.

    Example:
        >>> accepts(TaskIdentifier("Mosaic", "v1.10"), TaskIdentifier("Mosaic", "v1.9"))
        True
    """
    if registered.name != submitted.name:
        return False
    major, minor = parse_version(registered.version)
    wanted_major, wanted_minor = parse_version(submitted.version)
    return major == wanted_major and minor >= wanted_minor
