"""A Valkey that a test may kill, empty and start again."""

import subprocess
import time
from pathlib import Path

import redis

from tilebox_celery.embedded.binaries import valkey_program
from tilebox_celery.settings_files import config_path


class Valkey:
    """A Valkey of one test, on a socket of its own, with our settings.

    Args:
        folder: Where its files lie.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir()
        self._socket = folder / "v.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis+socket://{self._socket}"

    def start(self) -> "Valkey":
        """Start it, with what its file has kept, and wait until it answers."""
        command = [valkey_program(), config_path("valkey.conf"), "--unixsocket", self._socket, "--dir", self._folder]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            try:
                with self.ask() as asking:
                    asking.ping()
                return self
            except redis.RedisError:
                assert time.monotonic() < deadline, (self._folder / "log").read_text()
                time.sleep(0.02)

    def kill(self) -> None:
        """End it with kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def ask(self) -> "redis.Redis[bytes]":
        """Return a client."""
        return redis.Redis(unix_socket_path=str(self._socket))
