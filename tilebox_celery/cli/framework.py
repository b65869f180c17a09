"""How all commands behave alike: ``--json`` and ``--debug``, hidden aliases, one sentence for each error."""

import inspect
import os
import re
import shlex
import shutil
import sys
import traceback
from collections.abc import Callable, Sequence
from functools import wraps
from inspect import Parameter
from typing import Annotated, Any, ClassVar, TypeVar

import typer
from typer.core import TyperGroup

from tilebox_celery.cli.exits import ExitCode, code_of
from tilebox_celery.cli.opening import close_all
from tilebox_celery.cli.output import clean, mode
from tilebox_celery.errors import ArgumentError, TileboxCeleryError
from tilebox_celery.settings import redact_url

PROGRAM = "tilebox-celery"
HELP_NAMES = {"help_option_names": ["-h", "--help"]}
Function = TypeVar("Function", bound=Callable[..., Any])

_COMMON: dict[str, Any] = {
    "as_json": Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")],
    "debug": Annotated[bool, typer.Option("--debug", help="Show tracebacks.")],
}

# Old versions of typer stand on click, newer ones bring their own copy: the public name leads to either.
UsageError: Any = typer.BadParameter.__mro__[1]
ClickException: Any = typer.BadParameter.__mro__[2]


def command(app: typer.Typer, name: str, *, as_json: bool = True, **options: Any) -> Callable[[Function], Function]:
    """Register a function as a command that also knows ``--json`` and ``--debug``.

    Args:
        app: The noun.
        name: The verb.
        as_json: It has ``--json``; not where the output is somebody else's.
        options: For `typer.Typer.command`.
    """

    def register(function: Function) -> Function:
        @wraps(function)
        def run(*args: Any, debug: bool, as_json: bool = False, **values: Any) -> Any:
            mode.json, mode.debug = as_json, debug
            try:
                return function(*args, **values)
            except BrokenPipeError:  # here, since typer would make an error of it
                return _leave_pipe()

        common = [each for each in _COMMON if as_json or each != "as_json"]
        known = inspect.signature(function, eval_str=True)
        added = [Parameter(each, Parameter.KEYWORD_ONLY, default=False, annotation=_COMMON[each]) for each in common]
        signature = known.replace(parameters=[*known.parameters.values(), *added])
        run.__signature__ = signature  # type: ignore[attr-defined]  # what typer reads
        run.__annotations__ = {each.name: each.annotation for each in signature.parameters.values()}
        settings = {**HELP_NAMES, **options.pop("context_settings", {})}
        app.command(name, context_settings=settings, **options)(run)
        return function

    return register


def noun(text: str) -> typer.Typer:
    """Make a group of commands.

    Args:
        text: What they are about.
    """
    return typer.Typer(cls=Noun, help=text, no_args_is_help=True, rich_markup_mode=None, context_settings=HELP_NAMES)


class Noun(TyperGroup):
    """A group of commands, with hidden aliases for what people type elsewhere."""

    aliases: ClassVar = {"ls": "list", "rm": "delete", "show": "get"}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by its name or by an alias."""
        return super().get_command(ctx, cmd_name) or super().get_command(ctx, self.aliases.get(cmd_name, ""))


class Root(Noun):
    """The program: every error of a command ends here."""

    aliases: ClassVar = {"jobs": "job", "clusters": "cluster", "runners": "runner", "datasets": "dataset"}
    first: ClassVar = ("demo", "dev", "down", "job", "runner", "cluster", "dataset", "db")

    def list_commands(self, ctx: Any) -> list[str]:
        """Name the commands in the order in which people meet them."""
        names = super().list_commands(ctx)
        return [*(name for name in self.first if name in names), *(name for name in names if name not in self.first)]

    def main(self, args: Sequence[str] | None = None, *_: Any, complete_var: str | None = None, **extra: Any) -> Any:
        """Run a command and end the process with its exit code."""
        mode.json = mode.debug = False
        extra |= {"prog_name": PROGRAM, "standalone_mode": False}
        try:
            result = super().main(args, complete_var=complete_var, **extra)
            sys.stdout.flush()
            code = result if isinstance(result, int) else ExitCode.OK
        except BrokenPipeError:
            code = _leave_pipe()
        except (Exception, KeyboardInterrupt) as error:
            code = report(error)
        finally:
            close_all()
        sys.exit(int(code))


def report(error: BaseException) -> int:
    """Print one sentence on stderr and return the exit code."""
    if type(error).__name__ == "NoArgsIsHelpError":
        sys.stderr.write(f"{error}\n")
        return ExitCode.USAGE
    if mode.debug:
        traceback.print_exception(error)
    sentence, code = _sentence(error)
    if sentence:
        sys.stderr.write(_short(clean(sentence, 1).strip()) + "\n")
    return code


def called(context: typer.Context) -> str:
    """Return how this program was called, with its global options, for commands that people copy.

    Args:
        context: Of the command.
    """
    words = [sys.argv[0]]
    if words[0].endswith(".py"):
        words = [sys.executable, "-m", "tilebox_celery.cli.main"]
    elif (found := shutil.which(PROGRAM)) is not None and os.path.realpath(found) == os.path.realpath(words[0]):
        words = [PROGRAM]
    for name, value in context.find_root().params.items():
        if isinstance(value, str):
            words += ["--" + name.replace("_", "-"), redact_url(value)]
    return shlex.join(words)


def ask(question: str, yes: bool) -> None:
    """Ask before something is destroyed.

    Args:
        question: What would happen, without the question mark.
        yes: The answer was given as ``--yes``.

    Raises:
        ArgumentError: There is nobody to ask.
        TileboxCeleryError: The answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise ArgumentError(f"{question}: say --yes, since there is no terminal to ask.")
    if not typer.confirm(clean(question, 1) + "?", err=True):
        raise TileboxCeleryError("Nothing was changed.")


def _leave_pipe() -> ExitCode:
    """Write nothing more to a pipe whose reader has seen enough: `tilebox-celery job list | head -1`."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ExitCode.OK


def _short(sentence: str) -> str:
    """Cut what somebody gave and the sentence repeats: long names in quotes, and anything without a space."""
    sentence = re.sub(r"(?<![^\s(\[{:=])'([^']{80})[^']{20,}'", r"'\1…'", sentence)  # a quote that opens
    return re.sub(r"(\S{80})\S{420,}", r"\1…", sentence)


def _global_option(error: Any, context: Any) -> str | None:
    """Return the option of the program that was given to one of its commands, which do not know it."""
    given = getattr(error, "option_name", None)
    root = context.find_root()
    known = {name for each in root.command.params for name in each.opts if not each.is_flag}
    return given if context is not root and given in known else None


def _sentence(error: BaseException) -> tuple[str, int]:
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "", ExitCode.INTERRUPTED
    if isinstance(error, ClickException):
        text = " ".join(str(error.format_message()).split()).rstrip(".?").replace(": Value error, ", ": ")
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else PROGRAM
        if context is not None and (name := _global_option(error, context)) and path.startswith(PROGRAM):
            return (
                f"{name} goes before the command: '{PROGRAM} {name} ...{path.removeprefix(PROGRAM)}'.",
                ExitCode.USAGE,
            )
        mark = "?" if "Did you mean" in text else "."
        return f"{text}{mark} See '{path} --help'.", ExitCode.USAGE
    if isinstance(error, TileboxCeleryError | TimeoutError):
        return str(error), code_of(error)
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("tilebox_celery"):
        return f"This needs {error.name}: pip install 'tilebox-celery[all]'.", ExitCode.FAILED
    hint = "" if mode.debug else " ('--debug' shows where)"
    return f"Unexpected {type(error).__name__}: {error}{hint}", ExitCode.FAILED
