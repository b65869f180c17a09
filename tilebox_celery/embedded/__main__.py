"""Start, stop and look at the embedded servers from a script: ``python -m tilebox_celery.embedded up|down|status``."""

import sys

from tilebox_celery.embedded.stack import down, start, status
from tilebox_celery.errors import TileboxCeleryError
from tilebox_celery.settings import Settings, redact_url


def main(arguments: list[str]) -> int:
    """Run one command and return the exit code."""
    try:
        settings = Settings.from_environment()
        match arguments:
            case ["up"]:
                stack = start(settings.home, settings.idle_stop)
                sys.stdout.write(f"ledger {stack.ledger_url}\nbroker {stack.broker_url}\n")
            case ["down"]:
                stopped = down(settings.home)
                sys.stdout.write("stopped\n" if stopped else "nothing was running\n")
            case ["status"]:
                for name, value in vars(status(settings.home)).items():
                    sys.stdout.write(f"{name} {redact_url(value) if name.endswith('_url') and value else value}\n")
            case _:
                sys.stderr.write("usage: python -m tilebox_celery.embedded up|down|status\n")
                return 2
    except TileboxCeleryError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
