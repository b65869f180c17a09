"""Bring a database to the schema and the functions of this code, forward only, under an advisory lock."""

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any, cast

from tilebox_celery.errors import LedgerVersionMismatch
from tilebox_celery.postgres.connection import Connection

BOOTSTRAP = """
create schema if not exists tbx;
create table if not exists tbx.meta (key text primary key, value text not null);
do $$ begin
    if to_regprocedure('tbx.now()') is null then
        create function tbx.now() returns timestamptz language sql volatile parallel safe as 'select clock_timestamp()';
    end if;
end $$;
"""


class Schema:
    """Numbered migrations and a folder of functions that belong to one package.

    Args:
        package: Dotted name of the package that holds ``schema/*.sql`` and ``functions/*.sql``.
        key: Prefix of its rows in ``tbx.meta``.
    """

    def __init__(self, package: str, key: str) -> None:
        self.key = key
        root = files(package)
        self.migrations = _read(root, "schema")
        self.functions = _read(root, "functions")
        self.digest = hashlib.sha256("\0".join(text for _, text in self.functions).encode()).hexdigest()[:16]

    @property
    def version(self) -> int:
        """The number of the newest migration."""
        return int(self.migrations[-1][0].partition("_")[0])

    def state(self, connection: Connection) -> tuple[int, str]:
        """Return version and digest that the database holds; version 0 where there is nothing yet."""
        if connection.execute("select to_regclass('tbx.meta')").fetchone() == (None,):
            return 0, ""
        rows: dict[str, str] = dict(
            cast(
                Any,
                connection.execute("select key, value from tbx.meta where key like %s", (self.key + ".%",)).fetchall(),
            )
        )
        return int(rows.get(f"{self.key}.version", "0")), rows.get(f"{self.key}.digest", "")

    def is_current(self, connection: Connection) -> bool:
        """Tell whether the database has exactly this version and these functions."""
        return self.state(connection) == (self.version, self.digest)

    def check(self, connection: Connection) -> None:
        """Refuse a database that is older or newer than this code.

        Raises:
            LedgerVersionMismatch: With the command that mends it.
        """
        version, digest = self.state(connection)
        if version > self.version:
            raise LedgerVersionMismatch(
                f"The ledger has schema version {version}, newer than this code ({self.version}): "
                "install the newer tilebox-celery."
            )
        if (version, digest) != (self.version, self.digest):
            what = "has no tables yet" if version == 0 else f"has version {version}, and this code needs {self.version}"
            if version == self.version:
                what = "has the functions of another tilebox-celery version"
            raise LedgerVersionMismatch(f"The ledger {what}: run 'tilebox-celery db upgrade'.")

    def upgrade(self, connection: Connection) -> list[str]:
        """Apply what is missing and return the names of what was applied.

        Raises:
            LedgerVersionMismatch: The database is newer than this code.
        """
        applied: list[str] = []
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(7414, 0)")
            _run(connection, BOOTSTRAP)
            version, digest = self.state(connection)
            if version > self.version:
                self.check(connection)
            for name, text in self.migrations:
                if int(name.partition("_")[0]) > version:
                    _run(connection, text)
                    applied.append(name)
            if applied or digest != self.digest:
                self._install(connection)
                applied.append("functions " + self.digest)
            for key, value in (("version", str(self.version)), ("digest", self.digest)):
                connection.execute(
                    "insert into tbx.meta (key, value) values (%s, %s)"
                    " on conflict (key) do update set value = excluded.value",
                    (f"{self.key}.{key}", value),
                )
        return applied

    def _install(self, connection: Connection) -> None:
        """Replace the functions as one set; a function whose signature changed is dropped first."""
        rows = connection.execute(
            "select format('drop function %%s', p.oid::regprocedure) from pg_proc p"
            " join pg_namespace n on n.oid = p.pronamespace where n.nspname = 'tbx' and p.proname = any (%s)",
            ([name for name, _ in self.functions],),
        ).fetchall()
        for (statement,) in rows:
            _run(connection, statement)
        connection.execute("set local check_function_bodies = off")
        for _, text in self.functions:
            _run(connection, text)


def _run(connection: Connection, text: str) -> None:
    connection.execute(text.encode(), prepare=False)


def _read(root: Any, folder: str) -> Sequence[tuple[str, str]]:
    entries = sorted(
        (entry for entry in (root / folder).iterdir() if entry.name.endswith(".sql")), key=lambda e: e.name
    )
    return [(entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8")) for entry in entries]
