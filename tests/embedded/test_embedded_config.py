"""The servers load the settings files that explain themselves."""

from pathlib import Path

import pytest
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


@pytest.mark.parametrize("path", [POSTGRES_CONF, config_path("valkey.conf")], ids=lambda path: path.name)
def test_each_setting_has_its_reason(path):
    """Each setting is explained on its line, or above it and those that belong together with it."""
    lines = path.read_text().splitlines()

    bare = [
        line
        for above, line in zip(["", *lines], lines, strict=False)
        if line and line[0] != "#" and " # " not in line and (not above or above.startswith("# ---"))
    ]

    assert bare == []
