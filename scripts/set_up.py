"""Make ``.venv`` from wheels alone: ``python3 scripts/set_up.py dev|demo``; the Makefile calls it when needed."""

import os
import ssl
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PROFILES = {
    "dev": ["--group", "dev"],
    "demo": ["--extra", "embedded", "--extra", "demo"],
}
UV = "uv>=0.9,<1"
# What a user's shell may carry that would lead pip or uv to another environment.
FOREIGN = (
    "VIRTUAL_ENV",
    "CONDA_PREFIX",
    "PYTHONPATH",
    "PYTHONHOME",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_USER",
    "UV_SYSTEM_PYTHON",
)


def main(profile: str) -> None:
    """Create the environment if it is missing, install one profile into it, and stamp it."""
    check_python()
    python = make_venv()
    uv = install_uv(python)
    # Compiled once: where PYTHONDONTWRITEBYTECODE is set, each worker would compile all it imports again.
    sync = [str(uv), "sync", "--frozen", "--inexact", "--quiet", "--compile-bytecode", *PROFILES[profile]]
    # Dependencies from wheels only; then the project itself, editable, the one thing that is built here.
    run("the dependencies of uv.lock", [*sync, "--no-build", "--no-install-project"])
    run("tilebox-celery itself", sync)
    run("tilebox-celery itself", [str(python), "-m", "compileall", "-q", "tilebox_celery"])
    (VENV / f".set-up-{profile}").touch()


def check_python() -> None:
    """Stop with one sentence if this Python is too old or lacks venv."""
    if sys.version_info < (3, 11):  # noqa: UP036  # reached with any python3
        found = ".".join(str(part) for part in sys.version_info[:3])
        stop(f"Python 3.11 or newer is needed, but {sys.executable} is {found}: call make with PYTHON=python3.12, say.")
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        stop(f"{sys.executable} has no venv module: install it (Debian and Ubuntu: apt install python3-venv).")


def make_venv() -> Path:
    """Return the Python of ``.venv``, made anew if there is none that works."""
    python = VENV / "bin" / "python"
    probe = [str(python), "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    if not python.exists() or subprocess.call(probe, stderr=subprocess.DEVNULL) != 0:  # noqa: S603  # our own Python
        say("making .venv")
        run("the virtual environment", [sys.executable, "-m", "venv", "--clear", str(VENV)])
    return python


def install_uv(python: Path) -> Path:
    """Return the uv of ``.venv``, installed by pip if it is missing."""
    uv = VENV / "bin" / "uv"
    if not uv.exists():
        say("installing uv")
        run("pip", [str(python), "-m", "ensurepip", "--default-pip"], quiet=True)
        run("uv", [str(python), "-m", "pip", "install", "--quiet", "--only-binary", ":all:", UV])
    say("installing the packages of uv.lock")
    return uv


def run(what: str, command: "list[str]", quiet: bool = False) -> None:
    """Run one step in a clean environment; stop with one sentence if it fails."""
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    environment.update(UV_PROJECT_ENVIRONMENT=str(VENV), UV_PYTHON_DOWNLOADS="never", PIP_DISABLE_PIP_VERSION_CHECK="1")
    if ssl.create_default_context().cert_store_stats()["x509_ca"]:
        # Behind a company's proxy only the machine's own certificates are right; without any, uv brings its own.
        environment.update(UV_SYSTEM_CERTS="1", UV_NATIVE_TLS="1")
    output = subprocess.DEVNULL if quiet else None
    if subprocess.call(command, cwd=ROOT, env=environment, stdout=output) != 0:  # noqa: S603  # the commands above
        stop(f"Installing {what} failed (the lines above say why): mend that and run the same make target again.")


def say(text: str) -> None:
    """Tell the user on stderr what takes time now."""
    print(f"set-up: {text} ...", file=sys.stderr, flush=True)


def stop(sentence: str) -> None:
    """End with the sentence and exit code 1."""
    sys.exit(f"set-up: {sentence}")


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PROFILES:
        stop(f"say which profile: {' or '.join(PROFILES)}.")
    main(sys.argv[1])
