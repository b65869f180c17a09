"""A RabbitMQ server for tests: our own rabbitmq.conf and definitions.json on free loopback ports, gone afterwards."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tilebox_celery.settings_files import config_path

# The package's own scripts: those in /usr/sbin change the user and drop the environment.
TOOLS = Path(os.environ.get("RABBITMQ_BIN", "/usr/lib/rabbitmq/bin"))
START_SECONDS = 60


@contextmanager
def rabbitmq_server(folder: Path) -> Iterator[str]:
    """Run a server whose files are in a folder, and yield the ``amqp://`` URL of its vhost ``tilebox``."""
    port, distribution_port, name_port = free_ports(3)
    configuration = folder / "conf.d"
    configuration.mkdir(parents=True)
    (configuration / "10-rabbitmq.conf").write_bytes(config_path("rabbitmq.conf").read_bytes())
    (configuration / "90-here.conf").write_text(
        f"listeners.tcp.local = 127.0.0.1:{port}\nload_definitions = {config_path('definitions.json')}\n"
    )
    environment = {
        **os.environ,
        "HOME": str(folder),  # the Erlang cookie
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILES": f"{configuration}/*.conf",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_NODENAME": f"tilebox-{port}@localhost",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_DIST_PORT": str(distribution_port),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(name_port),
    }
    with (folder / "rabbitmq.log").open("wb") as log:
        server = subprocess.Popen([TOOLS / "rabbitmq-server"], env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait = [TOOLS / "rabbitmqctl", "wait", str(folder / "pid"), "--timeout", str(START_SECONDS)]
            started = subprocess.run(wait, env=environment, check=False, capture_output=True, text=True)
            log_text = (folder / "rabbitmq.log").read_text(errors="replace")
            assert started.returncode == 0, f"{started.stdout}{started.stderr}\n{log_text}"
            yield f"amqp://tilebox:tilebox@127.0.0.1:{port}/tilebox"
        finally:
            server.terminate()
            server.wait(START_SECONDS)
            subprocess.run(["epmd", "-port", str(name_port), "-kill"], check=False, capture_output=True)


def free_ports(count: int) -> list[int]:
    """Return different ports that nobody uses at the moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
