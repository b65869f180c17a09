"""Bring a database to the schema and the functions of this code, forward only, under an advisory lock.

Rules for whoever adds a migration: a released one never changes, and one that workers of older code cannot live with
starts with the line ``-- older workers drain: yes``. That is each one that comes with another signature, or another
meaning of a result, of a function that workers call: functions are replaced under the feet of those who run.
"""

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from psycopg import sql

from tilebox_celery.errors import LedgerVersionMismatch
from tilebox_celery.postgres.connection import Connection

BOOTSTRAP = """
create schema if not exists {namespace};
create table if not exists {namespace}.meta (key text primary key, value text not null);
"""
CLOCK = """
do $$ begin
    if to_regprocedure('tbx.now()') is null then
        create function tbx.now() returns timestamptz language sql volatile parallel safe as 'select clock_timestamp()';
    end if;
end $$;
"""
MARK = "-- older workers drain: yes"


class Schema:
    """Numbered migrations and a folder of functions that belong to one package.

    Args:
        package: Dotted name of the package that holds ``schema/*.sql`` and ``functions/*.sql``.
        key: Prefix of its rows in the table ``meta``.
        namespace: The Postgres schema that its tables are in.
        title: What errors call it.
    """

    def __init__(self, package: str, key: str, *, namespace: str = "tbx", title: str = "ledger") -> None:
        self.key = key
        self.namespace = namespace
        self.title = title
        root = files(package)
        self.migrations = _read(root, "schema")
        self.functions = _read(root, "functions")
        self.digest = hashlib.sha256("\0".join(text for _, text in self.functions).encode()).hexdigest()[:16]

    @property
    def version(self) -> int:
        """The number of the newest migration."""
        return _number(self.migrations[-1][0])

    @property
    def minimum(self) -> int:
        """The oldest version whose workers can live with this one: the newest marked migration, or the first."""
        marked = [name for name, text in self.migrations if text.startswith(MARK)]
        return _number((marked or [self.migrations[0][0]])[-1])

    def history(self, version: int) -> str:
        """Return the digest of the migrations that lead to a version."""
        texts = (text for name, text in self.migrations if _number(name) <= version)
        return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]

    def state(self, connection: Connection) -> tuple[int, str]:
        """Return version and digest that the database holds; version 0 where there is nothing yet."""
        rows = self._meta(connection)
        return int(rows.get("version", "0")), rows.get("digest", "")

    def is_current(self, connection: Connection) -> bool:
        """Tell whether the database has exactly this version and these functions."""
        current = {"version": str(self.version), "digest": self.digest, "history": self.history(self.version)}
        return current.items() <= self._meta(connection).items()

    def check(self, connection: Connection, home: Path | None = None) -> None:
        """Refuse a database that is older or newer than this code.

        Args:
            connection: To the database.
            home: The data directory that it belongs to, if it is an embedded one.

        Raises:
            LedgerVersionMismatch: With the command that mends it.
        """
        self.check_history(connection, home)
        version, digest = self.state(connection)
        if (version, digest) != (self.version, self.digest):
            what = "has no tables yet" if version == 0 else f"has version {version}, and this code needs {self.version}"
            if version == self.version:
                what = "has the functions of another tilebox-celery version"
            raise LedgerVersionMismatch(f"The {self.title} {what}: run 'tilebox-celery db upgrade'.")

    def check_history(self, connection: Connection, home: Path | None = None) -> None:
        """Refuse a database that no upgrade can bring to this code: a newer one, or one of an unreleased version.

        Args:
            connection: To the database.
            home: The data directory that it belongs to, if it is an embedded one.

        Raises:
            LedgerVersionMismatch: With the way out.
        """
        rows = self._meta(connection)
        version = int(rows.get("version", "0"))
        if version > self.version:
            raise LedgerVersionMismatch(
                f"The {self.title} has schema version {version}, newer than this code ({self.version}): "
                "install the newer tilebox-celery."
            )
        if version and rows.get("history") != self.history(version):
            made = "was made by an unreleased version of tilebox-celery, whose tables are different"
            if home is None:
                raise LedgerVersionMismatch(
                    f"The {self.title} {made}: install that version again, or use an empty database."
                )
            raise LedgerVersionMismatch(
                f"The {self.title} in {home} {made}: run 'tilebox-celery down' and move that folder away, "
                "or set TILEBOX_CELERY_HOME to another one."
            )

    def upgrade(self, connection: Connection, home: Path | None = None) -> list[str]:
        """Apply what is missing and return the names of what was applied.

        Args:
            connection: To the database.
            home: The data directory that it belongs to, if it is an embedded one.

        Raises:
            LedgerVersionMismatch: The database is newer than this code, or of an unreleased version.
        """
        applied: list[str] = []
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(7414, 0)")
            _run(connection, BOOTSTRAP.format(namespace=self.namespace))
            if self.functions:
                _run(connection, CLOCK)  # tests move it
            self.check_history(connection, home)
            version, digest = self.state(connection)
            for name, text in self.migrations:
                if _number(name) > version:
                    _run(connection, text)
                    applied.append(name)
            if applied or digest != self.digest:
                self._install(connection)
                applied.append("functions " + self.digest)
            self._write(connection, version=str(self.version), digest=self.digest, history=self.history(self.version))
            self.raise_minimum(connection)
        return applied

    def raise_minimum(self, connection: Connection) -> None:
        """Say in the database which workers may go on; nothing happens where it says so already."""
        statement = sql.SQL(
            "insert into {} as m (key, value) values (%s, %s)"
            " on conflict (key) do update set value = excluded.value where m.value::int < excluded.value::int"
        ).format(self._table)
        connection.execute(statement, (f"{self.key}.minimum", str(self.minimum)))

    @property
    def _table(self) -> sql.Identifier:
        return sql.Identifier(self.namespace, "meta")

    def _meta(self, connection: Connection) -> dict[str, str]:
        if connection.execute("select to_regclass(%s)", (f"{self.namespace}.meta",)).fetchone() == (None,):
            return {}
        statement = sql.SQL("select key, value from {} where key like %s").format(self._table)
        rows = connection.execute(statement, (self.key + ".%",)).fetchall()
        return {key.partition(".")[2]: value for key, value in rows}

    def _write(self, connection: Connection, **values: str) -> None:
        for key, value in values.items():
            statement = sql.SQL(
                "insert into {} (key, value) values (%s, %s) on conflict (key) do update set value = excluded.value"
            ).format(self._table)
            connection.execute(statement, (f"{self.key}.{key}", value))

    def _install(self, connection: Connection) -> None:
        """Replace the functions as one set; a function whose signature changed is dropped first."""
        rows = connection.execute(
            "select format('drop function %%s', p.oid::regprocedure) from pg_proc p"
            " join pg_namespace n on n.oid = p.pronamespace where n.nspname = %s and p.proname = any (%s)",
            (self.namespace, [name for name, _ in self.functions]),
        ).fetchall()
        for (statement,) in rows:
            _run(connection, statement)
        connection.execute("set local check_function_bodies = off")
        for _, text in self.functions:
            _run(connection, text)


def _run(connection: Connection, text: str) -> None:
    connection.execute(text.encode(), prepare=False)


def _number(name: str) -> int:
    return int(name.partition("_")[0])


def _read(root: Any, folder: str) -> Sequence[tuple[str, str]]:
    entries = (
        sorted((entry for entry in (root / folder).iterdir() if entry.name.endswith(".sql")), key=lambda e: e.name)
        if (root / folder).is_dir()
        else []
    )
    return [(entry.name.removesuffix(".sql"), entry.read_text(encoding="utf-8")) for entry in entries]
