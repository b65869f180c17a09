"""Find the settings files of ``broker_config/`` in a checkout and in an installed wheel."""

import importlib.util
from pathlib import Path
from types import ModuleType

from tilebox_celery.errors import InternalServerError

_HERE = Path(__file__).resolve().parent
_FOLDERS = (_HERE / "broker_config", _HERE.parent / "broker_config")  # the wheel's copy, then the checkout's


def config_path(name: str) -> Path:
    """Return where a file of ``broker_config/`` lies, such as ``valkey.conf``.

    Raises:
        InternalServerError: This installation lacks the file.

    Example:
        >>> config_path("celeryconfig.py").name
        'celeryconfig.py'
    """
    for folder in _FOLDERS:
        if (path := folder / name).is_file():
            return path
    raise InternalServerError(f"This installation lacks broker_config/{name}: install tilebox-celery again.")


def config_module(name: str) -> ModuleType:
    """Run a Python file of ``broker_config/`` and return it as a module, as ``app.config_from_object`` takes it.

    Example:
        >>> config_module("celeryconfig.py").accept_content
        ['json']
    """
    spec = importlib.util.spec_from_file_location(f"tilebox_celery_{Path(name).stem}", config_path(name))
    assert spec is not None and spec.loader is not None, "a .py file always has a loader"  # noqa: PT018
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
