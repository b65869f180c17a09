"""Empty the ledger that a test has used, so that the next test need not wait for another one."""

from typing import Any

import psycopg

from tilebox_celery.postgres.connection import connect

FINGERPRINT = b"""
    with mine as (
        select n.oid, n.nspname from pg_namespace n
        where n.nspname <> 'information_schema' and not starts_with(n.nspname, 'pg_')
    )
    select md5(coalesce(string_agg(x.line, chr(10) order by x.line), '')) from (
        select concat(p.oid::regprocedure, p.prosrc, p.proconfig) from pg_proc p
        join mine on mine.oid = p.pronamespace
        union all
        select concat(mine.nspname, '.', c.relname, c.relkind, c.relnatts, c.relchecks, c.relhastriggers, c.reloptions)
        from pg_class c join mine on mine.oid = c.relnamespace
        union all
        select coalesce(s.setconfig::text, '') from pg_db_role_setting s
        where s.setdatabase = (select d.oid from pg_database d where d.datname = current_database())
        union all
        select m.key || '=' || m.value from tbx.meta m
    ) x(line)"""
OTHERS = b"""
    select count(*) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"""
STATISTICS = b"""
    select count(*) from pg_statistic s join pg_class c on c.oid = s.starelid
    join pg_namespace n on n.oid = c.relnamespace where n.nspname = 'tbx'"""
EMPTY = b"""
    do $$
    declare
        v_tables text;
        v_name regclass;
    begin
        select string_agg(c.oid::regclass::text, ', ') into v_tables
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname = 'tbx' and c.relkind = 'r' and c.relname <> 'meta' and pg_relation_size(c.oid) > 0;
        if v_tables is not null then
            execute 'truncate ' || v_tables || ' restart identity cascade';
        end if;
        for v_name in
            select c.oid::regclass from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = 'tbx' and c.relkind = 'S'
        loop
            execute 'alter sequence ' || v_name || ' restart';
        end loop;
    end $$"""
FORGET = b"""
    drop schema if exists tbd cascade;
    delete from tbx.meta where key like 'datasets.%'"""
"""Datasets are made in a ledger when somebody opens them: without them it is as it was cloned."""
APART = b"select setval('tbx.runners_id_seq', 1 + floor(random() * power(2, 44))::bigint)"
"""Clones share a broker: as two ledgers, they number their runners from other places."""


def prepare(url: str) -> str:
    """Make a clone a ledger of its own.

    Returns:
        What must not have changed when it is to be used again: functions, tables, settings, versions.
    """
    with connect(url) as connection:
        connection.execute(APART)
        return str(_value(connection, FINGERPRINT))


def empty(url: str, untouched: str) -> bool:
    """Delete all rows of a ledger and start its numbers again.

    Args:
        url: Of the ledger.
        untouched: Its fingerprint before the test.

    Returns:
        False if it cannot be used again: somebody is still connected, it has other functions or tables or statistics of
        its rows, or cannot be reached.
    """
    try:
        with connect(url) as connection:
            connection.execute(b"set lock_timeout = '2s'")
            if _value(connection, OTHERS):
                return False
            connection.execute(FORGET, prepare=False)
            if _value(connection, STATISTICS) or _value(connection, FINGERPRINT) != untouched:
                return False
            connection.execute(EMPTY, prepare=False)
            connection.execute(APART)
            return True
    except (psycopg.Error, OSError):
        return False


def _value(connection: Any, query: bytes) -> Any:
    row = connection.execute(query, prepare=False).fetchone()
    return row[0]
