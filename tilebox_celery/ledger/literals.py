"""Write Python lists as Postgres array literals, many times faster than adapting them element by element."""

from collections.abc import Iterable, Sequence


def int_array(values: Iterable[int]) -> str:
    """Return an array literal of whole numbers.

    Example:
        >>> int_array([1, 2])
        '{1,2}'
    """
    return "{" + ",".join(map(str, values)) + "}"


def optional_int_array(values: Iterable[int | None]) -> str:
    """Return an array literal where None is NULL."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def bool_array(values: Iterable[bool]) -> str:
    """Return an array literal of truth values."""
    return "{" + ",".join(["t" if value else "f" for value in values]) + "}"


def bytes_array(values: Iterable[bytes | None]) -> str:
    r"""Return an array literal of bytea values in hex form.

    Example:
        >>> bytes_array([b"a", None])
        '{"\\\\x61",NULL}'
    """
    return "{" + ",".join(["NULL" if value is None else f'"\\\\x{value.hex()}"' for value in values]) + "}"


def text_array(values: Sequence[str | None]) -> str:
    r"""Return an array literal of texts; NUL characters, which Postgres cannot hold, become U+FFFD.

    Example:
        >>> text_array(['say "hi"', None])
        '{"say \\"hi\\"",NULL}'
    """
    return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"


def clean_text(value: str) -> str:
    """Replace what a UTF-8 database cannot hold: NUL and lone surrogates."""
    if "\0" in value:
        value = value.replace("\0", "\ufffd")
    try:
        value.encode()
    except UnicodeEncodeError:
        value = value.encode("utf-8", "replace").decode()
    return value


def _quoted(value: str) -> str:
    return '"' + clean_text(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
