"""``tilebox-celery agent-context``: all commands with their options as one JSON document."""

from enum import StrEnum
from typing import Any

import typer

from tilebox_celery.cli import output
from tilebox_celery.cli.exits import ExitCode
from tilebox_celery.cli.framework import PROGRAM, command

ENVIRONMENT = {
    "TILEBOX_CELERY_LEDGER_URL": "postgresql:// URL of the ledger; without it the embedded stack is used",
    "TILEBOX_CELERY_BROKER_URL": "redis://, rediss:// or amqp:// URL of the broker",
    "TILEBOX_CELERY_HOME": "data directory of the embedded stack",
    "NO_COLOR": "print without colours",
}


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, "agent-context", short_help="Print all commands and options as JSON.")
    def describe(context: typer.Context) -> None:
        """Print all commands, options and exit codes as JSON, for programs that use this one."""
        output.show_document(
            {
                "program": PROGRAM,
                "conventions": {
                    "stdout": "the result; with --json one JSON document, or one object a line for streams",
                    "stderr": "progress, hints, and one sentence for each error",
                    "ids": "may be shortened to any unique start",
                    "exit_codes": {str(int(code)): code.name.lower() for code in ExitCode},
                    "environment": ENVIRONMENT,
                },
                "commands": _commands(context.find_root().command, context),
            }
        )


def _commands(group: Any, context: typer.Context) -> dict[str, Any]:
    return {
        name: _command(each, context)
        for name in group.list_commands(context)
        if (each := group.get_command(context, name)) is not None and not each.hidden
    }


def _command(described: Any, context: typer.Context) -> dict[str, Any]:
    found: dict[str, Any] = {"help": " ".join((described.help or "").split())}
    if hasattr(described, "list_commands"):
        found["commands"] = _commands(described, context)
        return found
    parameters = [each for each in described.params if not getattr(each, "hidden", False)]
    found["arguments"] = [_parameter(each) for each in parameters if each.param_type_name == "argument"]
    found["options"] = [_parameter(each) for each in parameters if each.param_type_name == "option"]
    return found


def _parameter(parameter: Any) -> dict[str, Any]:
    default = parameter.default
    found = {
        "names": list(parameter.opts),
        "help": parameter.help or "",
        "required": parameter.required,
        "repeatable": bool(getattr(parameter, "multiple", False)) or parameter.nargs == -1,
        "flag": bool(getattr(parameter, "is_flag", False)),
        "default": default if isinstance(default, str | int | float | bool) else None,
    }
    if parameter.metavar:
        found["metavar"] = parameter.metavar
    if isinstance(default, StrEnum):
        found["choices"] = [str(each) for each in type(default)]
    return found
