"""Run the Valkey of a data directory."""

import os
import signal
import socket
import time
from pathlib import Path

from tilebox_celery.embedded.binaries import valkey_program
from tilebox_celery.embedded.layout import VALKEY_SOCKET, Layout
from tilebox_celery.embedded.processes import main_process_in
from tilebox_celery.embedded.server import Server
from tilebox_celery.settings_files import config_path


class ValkeyServer(Server):
    """The broker."""

    title = "Valkey"
    program = "valkey-server"
    stop_signals = ((signal.SIGTERM, 10), (signal.SIGKILL, 5))

    def __init__(self, layout: Layout, sockets: Path) -> None:
        super().__init__(layout, layout.valkey, sockets)

    @property
    def socket(self) -> Path:
        """The socket that a ``redis+socket://`` URL names."""
        return self.sockets / VALKEY_SOCKET

    def prepare(self, lock: int) -> list[str]:
        """Return the command; Valkey keeps its files in its working directory and replaces an old socket by itself."""
        del lock  # no helper runs
        return [str(valkey_program()), str(config_path("valkey.conf")), "--unixsocket", str(self.socket)]

    def is_ready(self) -> bool:
        """Say whether the append-only file is read and commands are answered."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(1)
            try:
                client.connect(os.fspath(self.socket))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
            except OSError:
                return False

    def find_main_process(self) -> int | None:
        """Return the parent of them all: Valkey forks a child to rewrite its file."""
        return main_process_in(self.folder, self.program)

    def set_data_aside(self) -> None:
        """Begin with an empty broker, keeping a file that cannot be read: the sweep sends all wake-ups again."""
        self.folder.rename(self.folder.with_name(f"valkey.unusable-{time.time_ns()}"))
        self.folder.mkdir(mode=0o700)
