"""Find in the text of a traceback the line that says what happened."""

import re

_START = re.compile(r"Traceback \(most recent call last\):\s*$", re.MULTILINE)
_GROUP = re.compile(
    r"^  \+ Exception Group Traceback \(most recent call last\):(?:\n  \| .*)*?\n  \| (\S.*)$", re.MULTILINE
)
_LINE = re.compile(r"^\S.*$", re.MULTILINE)


def cause_line(error: str) -> str:
    """Return the line with the type of the exception; of a text that is no traceback, the last line.

    Example:
        >>> cause_line("Traceback (most recent call last):\\n  File ...\\nValueError: no tile\\nsee the manual")
        'ValueError: no tile'
    """
    if group := list(_GROUP.finditer(error)):
        return group[-1][1].strip()
    starts = list(_START.finditer(error))
    if starts and (found := _LINE.search(error, starts[-1].end())):
        return found[0].strip()
    lines = [line for line in error.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
