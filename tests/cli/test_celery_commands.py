"""Stock Celery commands: Flower that strangers cannot open, and `celery -A app tilebox`."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.cli.program import PROGRAM, Cli
from tests.project.checkout import running_server
from tests.project.rabbitmq_server import free_ports
from tilebox_celery.model.cluster import Cluster

PLUGIN = """
import sys
from celery.bin.celery import celery
from tilebox_celery.cli.celery_plugin import tilebox

celery.add_command(tilebox)  # as the entry point of the group celery.commands does
celery()
"""
# Flower's options belong to the process: each case gets a fork of its own.
CHECK = """
import json, os, sys
import flower.command
from tilebox_celery.cli.celery_commands import check_flower
from tilebox_celery.errors import ArgumentError
from tilebox_celery.settings_files import config_path

answers = {}
for name, (words, environment) in json.load(sys.stdin).items():
    if not (child := os.fork()):
        os.environ.update(environment)
        try:
            check_flower([f"--conf={config_path('flowerconfig.py')}", *words])
        except ArgumentError as error:
            os._exit("without a login" in str(error))
        os._exit(0)
    answers[name] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
print(json.dumps(answers))
"""
RUNNER = """
from tilebox_celery.workflows import Client

runner = Client(url={url!r}).runner()
app = runner.celery_app
"""


@pytest.mark.clause("cli-13")
def test_flower_listens_on_loopback_with_our_settings(cli: Cli, tmp_path: Path) -> None:
    """Without options Flower can be reached from this machine only, and is read-only."""
    [port] = free_ports(1)

    with running_server([*PROGRAM, "flower", "--", f"--port={port}"], "Visit me at http://127.0.0.1", tmp_path):
        page = urllib.request.urlopen(f"http://127.0.0.1:{port}/workers", timeout=30)

    with page:
        assert page.status == 200


def test_flower_with_a_login_may_listen_anywhere() -> None:
    """What strangers cannot open is not refused; everything else is."""
    cases = {
        "loopback": ([], {}),
        "localhost": (["--address=localhost"], {}),
        "version 6": (["--address=::1"], {}),
        "login": (["--address=0.0.0.0", "--basic_auth=me:secret"], {}),
        "login by variable": (["--address=0.0.0.0"], {"FLOWER_BASIC_AUTH": "me:secret"}),
        "OAuth": (["--address=0.0.0.0", "--auth=me@example.org"], {}),
        "socket": (["--unix_socket=flower.sock", "--address="], {}),
        "all addresses": (["--address=0.0.0.0"], {}),
        "a name": (["--address=flower.example.org"], {}),
        "empty": (["--address="], {}),
    }

    checked = subprocess.run(
        [sys.executable, "-c", CHECK], input=json.dumps(cases), capture_output=True, text=True, check=True
    )

    assert [name for name, is_refused in json.loads(checked.stdout).items() if is_refused] == [
        "all addresses",
        "a name",
        "empty",
    ]


@pytest.mark.clause("cli-18")
def test_celery_has_our_commands(cli: Cli, cluster: Cluster, ledger_url: str, tmp_path: Path) -> None:
    """`celery -A my_runner:app tilebox ...` works on the ledger of the app's runner, with our exit codes."""
    (tmp_path / "my_runner.py").write_text(RUNNER.format(url=ledger_url))
    environment = {**os.environ, "TILEBOX_CELERY_LEDGER_URL": "postgresql://127.0.0.1:1/elsewhere"}
    ask = [sys.executable, "-c", PLUGIN, "-A", "my_runner:app", "tilebox", "cluster"]

    asked = subprocess.run([*ask, "get", "nowhere"], check=False, capture_output=True, text=True, env=environment)

    assert (asked.returncode, asked.stdout) == (4, "")
    assert asked.stderr.startswith("No such cluster 'nowhere'")
