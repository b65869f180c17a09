"""Write texts: cut and cleaned, so that every database and every screen can hold them, and with their plurals."""

DISPLAY_LIMIT = 1024
"""Longest display name of a task, in code points."""
ERROR_LIMIT = 64 * 1024
"""Longest error text of an attempt, in UTF-8 bytes."""

_CUT = "\n... [cut] ...\n"


def counted(number: int, noun: str) -> str:
    """Write how many there are of something, with a regular plural.

    Example:
        >>> counted(1, "queued task"), counted(1200, "task"), counted(0, "batch"), counted(2, "process")
        ('1 queued task', '1,200 tasks', '0 batches', '2 processes')
    """
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith(('s', 'x', 'ch', 'sh')) else 's'}"


def shown(value: object) -> str:
    """Return how a value is shown in a message: its repr on one line, at most 80 characters of it.

    Example:
        >>> shown([1, "two"]), len(shown("a" * 100))
        ("[1, 'two']", 80)
    """
    return " ".join(repr(value).split())[:80]


def storable(text: str) -> str:
    """Replace what Postgres cannot hold (NUL and lone surrogates) by the replacement character.

    Example:
        >>> storable("a\\x00b")
        'a\ufffdb'
    """
    if text.isascii():
        return text.replace("\x00", "\ufffd") if "\x00" in text else text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "\ufffd")


def cut_display(text: str) -> str:
    """Return a display name that can be stored: clean, and at most 1024 code points."""
    return storable(text[:DISPLAY_LIMIT])


def failed_display(display: str, error: BaseException) -> str:
    """Append the error to a display name; the display stays, and the error is cut.

    Example:
        >>> failed_display("Tile", KeyError("band"))
        "Tile\\nKeyError('band')"
    """
    display = cut_display(display)
    return display if len(display) >= DISPLAY_LIMIT - 1 else cut_display(f"{display}\n{error!r}")


def cut_error(text: str, limit: int = ERROR_LIMIT) -> str:
    """Return an error text of at most 64 KiB: its start and, since the cause stands there, mostly its end."""
    text = storable(text)
    if len(text) * 4 <= limit:
        return text
    data = text.encode()
    if len(data) <= limit:
        return text
    head = limit // 4
    tail = limit - head - len(_CUT)
    return data[:head].decode(errors="ignore") + _CUT + data[-tail:].decode(errors="ignore")
