"""``tilebox-celery doctor``: look at everything that has to work, and say what to do where it does not."""

import os
from collections.abc import Iterator

import typer

from tilebox_celery.cli import output
from tilebox_celery.cli.checks import Finding, Level, fine, warning
from tilebox_celery.cli.exits import ExitCode
from tilebox_celery.cli.framework import command
from tilebox_celery.cli.opening import settings
from tilebox_celery.cli.version import versions
from tilebox_celery.settings import redact_url, settings_file

_COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILURE: "red", Level.UNREACHABLE: "red"}
_WORDS = {Level.OK: "ok", Level.WARNING: "look", Level.FAILURE: "wrong", Level.UNREACHABLE: "wrong"}


def add_to(app: typer.Typer) -> None:
    """Register the command."""

    @command(app, "doctor", short_help="Look at servers, clocks and runners; say what to do.")
    def run_doctor() -> None:
        """Look at servers, settings, clocks and runners, and say what to do; changes and starts nothing.

        Exits with 1 if something is wrong, with 5 if a server cannot be reached.
        """
        findings = list(look_at_everything())
        levels = {each.level for each in findings}
        code = ExitCode.FAILED if Level.FAILURE in levels else ExitCode.OK
        code = ExitCode.UNREACHABLE if Level.UNREACHABLE in levels else code
        if output.mode.json:
            checks = [
                {"check": each.check, "level": str(each.level), "text": each.text, "advice": each.advice or None}
                for each in findings
            ]
            output.show_document({"ok": code is ExitCode.OK, "checks": checks, "versions": versions()})
        else:
            _show(findings)
        raise typer.Exit(code)


def look_at_everything() -> Iterator[Finding]:
    """Yield what there is to say, in the order in which one would ask."""
    from tilebox_celery.cli.checks_broker import look_at_broker
    from tilebox_celery.cli.checks_ledger import look_at_ledger
    from tilebox_celery.cli.checks_machine import look_at_binds, look_at_stack, look_at_variables

    known = versions()
    yield fine(
        "versions", ", ".join(f"{name} {known[name]}" for name in ("tilebox-celery", "python", "celery", "psycopg"))
    )
    chosen = settings()
    if (file := settings_file()) is not None:
        values = (f"{name} = {redact_url(text)}" for name, text in file.values.items())
        yield fine("file", f"{file.path} sets {', '.join(values) or 'nothing'}; environment variables win over it")
    yield from look_at_variables(os.environ)
    ledger, broker = chosen.ledger_url, chosen.broker_url
    if ledger is None:
        found, ledger, embedded_broker = look_at_stack(chosen)
        yield from found
        broker = broker or embedded_broker
    elif broker is None:
        yield warning(
            "broker",
            "no broker is configured",
            "Jobs run: workers are woken by NOTIFY. Flower and 'celery inspect' need TILEBOX_CELERY_BROKER_URL.",
        )
    if ledger is not None:
        yield from look_at_ledger(ledger, chosen)
    if broker is not None:
        yield from look_at_broker(broker)
    yield from look_at_binds()


def _show(findings: list[Finding]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for each in findings:
        table.add_row(Text(_WORDS[each.level], style=_COLOURS[each.level]), each.check, output.clean(each.text, 1))
        if each.advice:
            table.add_row("", "", Text(output.clean(each.advice, 1), style="bold"))
    output.show(table)
