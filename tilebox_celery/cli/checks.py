"""What ``doctor`` finds: one value for each thing that was looked at."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"
    UNREACHABLE = "unreachable"
    """A failure after which nothing else of that server can be looked at."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    check: str
    level: Level
    text: str
    advice: str = ""
    """What to do; empty where all is well."""


def fine(check: str, text: str) -> Finding:
    """Return that all is well."""
    return Finding(check, Level.OK, text)


def warning(check: str, text: str, advice: str) -> Finding:
    """Return what should be changed."""
    return Finding(check, Level.WARNING, text, advice)


def failure(check: str, text: str, advice: str) -> Finding:
    """Return what must be changed."""
    return Finding(check, Level.FAILURE, text, advice)


def unreachable(check: str, text: str, advice: str = "") -> Finding:
    """Return that a server does not answer."""
    return Finding(check, Level.UNREACHABLE, text, advice)
