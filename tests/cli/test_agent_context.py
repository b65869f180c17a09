"""`agent-context` tells programs what there is."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.cli.program import command_paths
from tilebox_celery.cli.main import app


def context() -> Any:
    """Return the document."""
    return json.loads(CliRunner().invoke(app, ["agent-context"]).stdout)


@pytest.mark.clause("cli-17")
def test_every_command_has_its_options() -> None:
    """Options come with names, help, and whether they are required or flags."""
    submit = context()["commands"]["job"]["commands"]["submit"]

    options = {option["names"][0]: option for option in submit["options"]}
    assert options["--task"]["required"]
    assert options["--wait"]["flag"]
    assert options["--max-retries"]["default"] == 0
    assert all(option["help"] for option in options.values())


def test_every_command_explains_itself() -> None:
    """No command and no option is without a sentence."""
    tree = context()["commands"]

    for path in command_paths():
        found = tree[path[0]] if len(path) == 1 else tree[path[0]]["commands"][path[1]]
        assert found["help"].endswith((".", "-E.", "10.")), path
        assert all(each["help"] for each in [*found["options"], *found["arguments"]]), path


def test_every_value_has_a_name_and_every_summary_fits() -> None:
    """Help names what an option takes in words, not by a type, and the list of commands cuts no sentence."""
    tree = context()["commands"]

    for path in command_paths():
        found = tree[path[0]] if len(path) == 1 else tree[path[0]]["commands"][path[1]]
        values = [each for each in found["options"] if not each["flag"]]
        unnamed = [each["names"] for each in values if not each.keys() & {"metavar", "choices"}]
        assert (path, unnamed) == (path, [])
    for words in [[], *([noun] for noun, described in tree.items() if "commands" in described)]:
        assert "..." not in CliRunner().invoke(app, [*words, "--help"]).stdout.partition("Commands:")[2]


def test_exit_codes_are_told() -> None:
    """The exit codes are part of it."""
    codes = context()["conventions"]["exit_codes"]

    assert codes == {
        "0": "ok", "1": "failed", "2": "usage", "3": "canceled", "4": "not_found", "5": "unreachable",
        "124": "timed_out", "130": "interrupted",
    }  # fmt: skip
