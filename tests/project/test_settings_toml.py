"""Settings come from the environment, then from a file of the current directory, then from the code."""

from datetime import timedelta
from pathlib import Path

import pytest

from tilebox_celery.errors import ArgumentError
from tilebox_celery.settings import Settings


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory, and none of our variables."""
    monkeypatch.chdir(tmp_path)
    for name in ("LEDGER_URL", "BROKER_URL", "HOME", "LEASE"):
        monkeypatch.delenv(f"TILEBOX_CELERY_{name}", raising=False)
    return tmp_path


OWN = 'broker_url = "redis://file"\nhome = "stack"\nlease = 60\nmax-subtasks = 7\nevent_args = true\n'


@pytest.mark.parametrize(
    ("name", "text"), [("tilebox-celery.toml", OWN), ("pyproject.toml", f"[tool.tilebox-celery]\n{OWN}")]
)
def test_a_file_sets_what_the_environment_does_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    """Texts, numbers and booleans are taken from the file, and a variable wins over it."""
    (folder / name).write_text(text)
    monkeypatch.setenv("TILEBOX_CELERY_LEASE", "90")

    settings = Settings.from_environment()

    assert (settings.broker_url, settings.home) == ("redis://file", folder / "stack")
    assert (settings.lease, settings.max_subtasks, settings.event_args) == (timedelta(seconds=90), 7, True)
    assert settings.ledger_url is None


def test_the_own_file_wins_over_that_of_the_project(folder: Path) -> None:
    """With both files only tilebox-celery.toml is read."""
    (folder / "tilebox-celery.toml").write_text("lease = 60")
    (folder / "pyproject.toml").write_text("[tool.tilebox-celery]\nlease = 70\nmax_subtasks = 7")

    settings = Settings.from_environment()

    assert (settings.lease, settings.max_subtasks) == (timedelta(seconds=60), 64)


def test_files_elsewhere_set_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project without our table, and the files of parent directories, change nothing."""
    (folder / "tilebox-celery.toml").write_text("lease = 60")
    (folder / "below").mkdir()
    (folder / "below" / "pyproject.toml").write_text("[project]\nname = 'x'\n[tool.ruff]\n")
    monkeypatch.chdir(folder / "below")

    settings = Settings.from_environment()

    assert settings.lease == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("leese = 60", "tilebox-celery.toml sets 'leese', which is no setting: did you mean 'lease'?"),
        ("quux = 60", "sets 'quux', which is no setting: settings are batch, broker_url,"),
        ("lease = -1", "lease in {}/tilebox-celery.toml is '-1', but must be a positive number of seconds"),
        ("lease = [1]", "tilebox-celery.toml: lease must be a text, a number, true or false."),
        ("event_args = 'maybe'", "event_args in {}/tilebox-celery.toml is 'maybe', but must be 'true' or 'false'."),
        ("wake_by = 'mail'", "wake_by in {}/tilebox-celery.toml is 'mail', but must be 'notify' or 'broker'."),
        ("lease =", "tilebox-celery.toml cannot be read as TOML: Invalid value"),
    ],
)
def test_a_mistake_in_the_file_is_one_sentence(folder: Path, text: str, sentence: str) -> None:
    """What cannot be used is named with its file, and the nearest name that exists."""
    (folder / "tilebox-celery.toml").write_text(text)

    with pytest.raises(ArgumentError) as caught:
        Settings.from_environment()

    assert sentence.format(folder) in str(caught.value)


def test_no_password_of_the_file_is_shown(folder: Path) -> None:
    """Neither the settings nor what was read of the file show a password when printed."""
    from tilebox_celery.settings import settings_file

    (folder / "tilebox-celery.toml").write_text('ledger_url = "postgresql://me:secret@db/x"')

    shown = repr(settings_file()) + repr(Settings.from_environment())

    assert "secret" not in shown


@pytest.mark.parametrize(("lease", "heartbeat"), [("10", "30"), ("10", "10"), ("8", None), (None, "15.1")])
def test_heartbeat_that_cannot_keep_a_lease_is_refused(lease: str | None, heartbeat: str | None) -> None:
    """A heartbeat of more than half a lease would let healthy workers lose their tasks for ever."""
    given = {"TILEBOX_CELERY_LEASE": lease, "TILEBOX_CELERY_HEARTBEAT": heartbeat}

    with pytest.raises(ArgumentError, match="at most half of TILEBOX_CELERY_LEASE") as caught:
        Settings.from_environment({name: text for name, text in given.items() if text is not None})

    assert "TILEBOX_CELERY_HEARTBEAT is" in str(caught.value)


def test_heartbeat_of_half_a_lease_is_taken() -> None:
    """Two renewals in a lease are enough."""
    settings = Settings.from_environment({"TILEBOX_CELERY_LEASE": "2", "TILEBOX_CELERY_HEARTBEAT": "1"})

    assert settings.heartbeat == settings.lease / 2


@pytest.mark.parametrize(
    "name", ["LEASE", "HEARTBEAT", "GRACE", "BATCH", "IDLE_STOP", "MAX_INPUT_BYTES", "MAX_SUBTASKS"]
)
@pytest.mark.parametrize("text", ["1e30", "inf", "nan", "-1", "0", "9" * 30, "9" * 5000, "²", "1e-12"])
def test_number_out_of_bounds_is_refused(name: str, text: str) -> None:
    """A number too small or too large for what it is used for is refused in one short sentence."""
    with pytest.raises(ArgumentError, match=f"^TILEBOX_CELERY_{name} is '.{{1,80}}', but must be a positive") as caught:
        Settings.from_environment({f"TILEBOX_CELERY_{name}": text})

    assert len(str(caught.value)) < 250
