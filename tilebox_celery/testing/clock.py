"""The clock of a ledger in the hands of a test."""

from datetime import timedelta

from tilebox_celery.postgres.connection import connect

_INSTALL = b"""
    create table if not exists tbx.test_clock (stopped_at timestamptz, ahead interval not null default '0');
    insert into tbx.test_clock select where not exists (select 1 from tbx.test_clock);
    create or replace function tbx.now() returns timestamptz language sql volatile parallel safe
        as 'select coalesce(c.stopped_at, clock_timestamp()) + c.ahead from tbx.test_clock c';
"""


class DatabaseClock:
    """Moves the time of one ledger, which is the only time that leases and retries go by.

    Args:
        ledger_url: A ledger that belongs to one test.
        stopped: Only `advance` moves it; otherwise it also runs on by itself.

    Example:
        clock = DatabaseClock(ledger_url)
        clock.advance(timedelta(seconds=31))  # longer than a lease
    """

    def __init__(self, ledger_url: str, *, stopped: bool = False) -> None:
        self._url = ledger_url
        with connect(ledger_url, name="tilebox-celery clock") as connection:
            connection.execute(_INSTALL, prepare=False)
            connection.execute(
                b"update tbx.test_clock set ahead = '0', stopped_at = case when %s then clock_timestamp() end",
                (stopped,),
            )

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        with connect(self._url, name="tilebox-celery clock") as connection:
            connection.execute(b"update tbx.test_clock set ahead = ahead + %s", (by,))
