"""Run a script or module as ``__main__``, as the interpreter would."""

import sys
from collections.abc import Callable
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path
from types import CodeType, ModuleType, TracebackType
from typing import NoReturn

USAGE = """usage: python -m tilebox_celery.compat script.py [arguments]
       python -m tilebox_celery.compat -m module [arguments]

Run a script that imports tilebox.workflows, unchanged, on tilebox_celery."""


def run(arguments: list[str]) -> None:
    """Run what the command line names; an exception that leaves it is printed without our own frames.

    Args:
        arguments: The command line after ``python -m tilebox_celery.compat``.
    """
    match arguments:
        case [] | ["-m"]:
            _give_up(USAGE)
        case ["-h" | "--help", *_]:
            print(USAGE)
        case ["-m", name, *rest]:
            sys.path[0] = str(Path.cwd())
            _run_module(name, rest)
        case [script, *rest]:
            _run_script(script, rest)


def _run_script(script: str, arguments: list[str]) -> None:
    path = Path(script)
    try:
        source = path.read_bytes()
    except OSError as error:
        _give_up(f"Cannot open the script {script!r}: {error.strerror}.")
    sys.path[0] = str(path.resolve().parent)
    sys.argv = [script, *arguments]
    main = ModuleType("__main__")
    main.__file__ = file = str(path.absolute())
    _execute(main, lambda: compile(source, file, "exec", dont_inherit=True))


def _run_module(name: str, arguments: list[str]) -> None:
    spec = _find_main(name)
    if spec is None or spec.origin is None or not isinstance(spec.loader, InspectLoader):
        _give_up(f"No module named {name!r} that can be run: check the name, and run from the folder that holds it.")
    loader = spec.loader
    sys.argv = [spec.origin, *arguments]
    main = ModuleType("__main__")
    main.__file__ = spec.origin
    main.__spec__ = spec
    main.__package__ = spec.parent
    main.__loader__ = loader
    _execute(main, lambda: loader.get_code(spec.name))


def _find_main(name: str) -> ModuleSpec | None:
    try:
        spec = find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            return find_spec(f"{name}.__main__")
    except ModuleNotFoundError as error:
        if error.name and name.startswith(error.name):
            return None
        raise
    return spec


def _execute(main: ModuleType, load: Callable[[], CodeType | None]) -> None:
    """Execute code in a ``__main__`` that stays, since exit handlers and unpickling look into it afterwards."""
    sys.modules["__main__"] = main
    try:
        code = load()
        assert code is not None
        exec(code, main.__dict__)  # noqa: S102  # the user's own program, which is what this command is for
    except Exception as error:
        error.__traceback__ = _skip_own_frames(error.__traceback__)
        sys.excepthook(type(error), error, error.__traceback__)
        sys.exit(1)


def _skip_own_frames(frames: TracebackType | None) -> TracebackType | None:
    while frames and frames.tb_frame.f_code.co_filename == __file__:
        frames = frames.tb_next
    return frames


def _give_up(sentence: str) -> NoReturn:
    print(sentence, file=sys.stderr)
    sys.exit(2)
