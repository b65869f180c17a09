"""Let ``import tilebox.X`` give the module ``tilebox_celery.X``, the very same object."""

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType

PACKAGE = "tilebox"
MOVED = {
    "tilebox.clients.core.data": "tilebox_celery.datasets.data",
    "_tilebox.grpc.error": "tilebox_celery.errors",
}
"""Modules of the documents and of the vendor's SDK whose counterpart has another path."""


def install() -> None:
    """Make ``tilebox`` an alias of ``tilebox_celery`` for all imports of this process that come later.

    An installed ``tilebox`` is not used; two halves of different origin would not fit together.

    Example:
        >>> install()
        >>> from tilebox.caches import JobCache as theirs
        >>> from tilebox_celery.caches import JobCache as ours
        >>> theirs is ours
        True
    """
    if not any(isinstance(finder, AliasFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, AliasFinder())


class AliasFinder(MetaPathFinder):
    """Find the module that stands behind a ``tilebox`` name."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load a name, or None if it is not ours.

        Raises:
            ModuleNotFoundError: The name is in ``tilebox``, and this package has nothing behind it.
        """
        if fullname.partition(".")[0] not in (PACKAGE, "_" + PACKAGE):
            return None
        counterpart = MOVED.get(fullname) or _mirrored(fullname)
        if counterpart and _exists(counterpart):
            return ModuleSpec(fullname, AliasLoader(counterpart))
        if any(moved.startswith(fullname + ".") for moved in MOVED):
            return ModuleSpec(fullname, FolderLoader(), is_package=True)
        raise ModuleNotFoundError(
            f"No module named {fullname!r}: tilebox_celery has no counterpart of it, so a script that needs it cannot "
            "run here.",
            name=fullname,
        )


class AliasLoader(Loader):
    """Put the counterpart under the alias into ``sys.modules``."""

    def __init__(self, counterpart: str) -> None:
        """Remember the counterpart."""
        self._counterpart = counterpart

    def exec_module(self, module: ModuleType) -> None:
        """Replace the module that the import system has made, which leaves the counterpart as it is."""
        __import__(self._counterpart)
        sys.modules[module.__name__] = sys.modules[self._counterpart]


class FolderLoader(Loader):
    """Make an empty package on the way to a moved module."""

    def exec_module(self, module: ModuleType) -> None:
        """Leave the package empty."""


def _mirrored(fullname: str) -> str | None:
    head, dot, rest = fullname.partition(".")
    return f"tilebox_celery{dot}{rest}" if head == PACKAGE else None


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError as error:
        if error.name and module.startswith(error.name):  # a package on the way is not there
            return False
        raise
