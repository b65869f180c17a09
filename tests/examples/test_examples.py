"""Each example runs as a newcomer runs it and prints what it is meant to show; the tutorial quotes them."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tilebox_celery.client.client import Client
from tilebox_celery.embedded import Stack

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
TUTORIAL = ROOT / "docs" / "tutorial" / "index.md"
PRINTED = {path.stem: path for path in (Path(__file__).parent / "printed").iterdir()}
STOCK = "09_stock_celery"


@pytest.fixture(autouse=True)
def dev_cluster(request: pytest.FixtureRequest) -> None:
    """Where there is a ledger, the cluster that an embedded one has."""
    if "client" in request.fixturenames:
        request.getfixturevalue("client").clusters().create("dev-cluster", slug="dev-cluster")


def run_example(name: str, folder: Path) -> str:
    """Run an example with an empty folder as the current one; return what it printed, times as TIME."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stderr
    text = re.sub(r"^\d{4}-\d\d-\d\d [\d:.]+Z", "TIME", done.stdout, flags=re.MULTILINE)
    text = re.sub(r"^[ ~^]+\n", "", text, flags=re.MULTILINE)  # tracebacks point differently in each Python
    return text.replace(str(EXAMPLES), "examples")


def test_every_example_has_its_output() -> None:
    """No example is without a file that says what it prints, and no such file is without its example."""
    assert sorted(PRINTED) == sorted(path.stem for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", sorted(PRINTED.keys() - {STOCK}))
def test_example_prints_what_it_shows(name: str, client: Client, tmp_path: Path) -> None:
    """The example ends with 0, prints what the file of its name holds, and raises no warning."""
    printed = run_example(name, tmp_path)

    assert printed == PRINTED[name].read_text(encoding="utf-8")


@pytest.mark.system
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(
            ["celery", "-A", f"{STOCK}:app", "worker", "--pool", "prefork", "--concurrency", "2"], id="celery"
        ),
        pytest.param(
            ["tilebox-celery", "runner", "start", "-m", STOCK, "-n", "2"], id="tilebox-celery", marks=pytest.mark.long
        ),
    ],
)
def test_command_line_runs_the_example(
    command: list[str], client: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Started by Celery's own command line, or by ours, the runner completes the job and drains at SIGTERM."""
    monkeypatch.setenv("TILEBOX_CELERY_BROKER_URL", stack.broker_url)
    program = Path(sys.executable).parent / command[0]
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen([program, *command[1:]], cwd=EXAMPLES, stdout=log, stderr=log)
    try:
        printed = run_example(STOCK, tmp_path)
    finally:
        worker.send_signal(signal.SIGTERM)
        code = worker.wait()
        print((tmp_path / "log").read_text())  # pytest shows it if something is wrong

    assert printed == PRINTED[STOCK].read_text(encoding="utf-8")
    assert code == 0
    assert " ".join(command) in TUTORIAL.read_text(encoding="utf-8")


def quoted() -> list[tuple[str, str]]:
    """The marked blocks of the tutorial: what each is from, and its text."""
    blocks = re.findall(r"<!-- ([\w/ .]+) -->\n+```\w*\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)
    return [(source, text) for source, text in blocks]


@pytest.mark.parametrize(
    ("source", "text"), quoted(), ids=[f"{at} {source}" for at, (source, _) in enumerate(quoted())]
)
def test_tutorial_quotes_examples(source: str, text: str) -> None:
    """A block of code stands in the example that it is said to be from; a block of output is what one prints."""
    is_output = source.startswith("output of ")
    name = source.removeprefix("output of ").removeprefix("examples/")
    whole = PRINTED[Path(name).stem] if is_output else EXAMPLES / name

    assert text in whole.read_text(encoding="utf-8")


def test_tutorial_marks_all_its_python() -> None:
    """Every block of Python in the tutorial says from which example it is."""
    marked = [source for source, _ in quoted() if not source.startswith("output of ")]

    assert len(marked) == TUTORIAL.read_text(encoding="utf-8").count("```python")
    assert marked
