"""Put the clock of a ledger into the hands of a test."""

from datetime import timedelta

from tilebox_celery.postgres.connection import Connection

_INSTALL = b"""
    create table if not exists tbx.test_clock (stopped_at timestamptz, ahead interval not null default '0');
    insert into tbx.test_clock select where not exists (select 1 from tbx.test_clock);
    create or replace function tbx.now() returns timestamptz language sql volatile parallel safe
        as 'select coalesce(c.stopped_at, clock_timestamp()) + c.ahead from tbx.test_clock c';
"""


def install_test_clock(connection: Connection, *, stopped: bool = False) -> None:
    """Replace the time of this ledger by one that `move_clock` moves.

    Args:
        connection: To a ledger that belongs to one test.
        stopped: Only `move_clock` moves it; otherwise it also runs on by itself.
    """
    connection.execute(_INSTALL, prepare=False)
    connection.execute(
        b"update tbx.test_clock set ahead = '0', stopped_at = case when %s then clock_timestamp() end", (stopped,)
    )


def move_clock(connection: Connection, by: timedelta) -> None:
    """Let time pass in the ledger."""
    connection.execute(b"update tbx.test_clock set ahead = ahead + %s", (by,))
