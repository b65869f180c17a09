"""Quote the names of tables and columns; values never become text."""

from psycopg import sql


def quoted(*names: str) -> str:
    """Return an identifier for SQL.

    Example:
        >>> quoted("tbd", "rows_1")
        '"tbd"."rows_1"'
    """
    return sql.Identifier(*names).as_string(None)
