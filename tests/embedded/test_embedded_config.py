"""The servers load the settings files that explain themselves."""

from itertools import pairwise
from pathlib import Path

import redis

import tilebox_celery.embedded
from tilebox_celery.settings_files import config_path

POSTGRES_CONF = Path(tilebox_celery.embedded.__file__).with_name("postgresql.conf")


def test_servers_run_with_the_files(home, ask):
    """Both servers report the values that their files say, durable ones among them."""
    stack = home.start()
    client = redis.Redis(unix_socket_path=stack.broker_url.removeprefix("redis+socket://"), decode_responses=True)

    postgres = ask(
        stack.ledger_url,
        "SELECT jsonb_object_agg(name, setting) FROM pg_settings WHERE sourcefile LIKE '%/embedded/postgresql.conf'",
    )
    valkey = client.config_get("*")
    client.close()

    written = [line.split("=")[0].strip() for line in POSTGRES_CONF.read_text().splitlines() if line[:1].isalpha()]
    assert sorted(name.lower() for name in postgres) == sorted(written)
    assert (postgres["fsync"], postgres["synchronous_commit"], postgres["full_page_writes"]) == ("on", "on", "on")
    assert (postgres["max_connections"], postgres["jit"], postgres["listen_addresses"]) == ("200", "off", "")
    assert (valkey["appendonly"], valkey["appendfsync"], valkey["save"]) == ("yes", "everysec", "")
    assert (valkey["maxmemory-policy"], valkey["port"], valkey["protected-mode"]) == ("noeviction", "0", "yes")


def test_each_postgres_setting_has_its_reason():
    """Each line of postgresql.conf that sets something says why."""
    lines = POSTGRES_CONF.read_text().splitlines()

    bare = [line for line in lines if line[:1].isalpha() and " # " not in line]

    assert bare == []


def test_each_valkey_setting_has_its_reason():
    """Each setting of valkey.conf, or the few that belong together, has a comment above it that says why."""
    lines = config_path("valkey.conf").read_text().splitlines()

    bare = [
        line
        for above, line in pairwise(["", *lines])
        if line[:1].isalpha() and (not above or above.startswith("# ---"))
    ]

    assert bare == []
