"""Test workflows against a real ledger: fixtures, a database clock, crashes on demand, comparison of task trees."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tilebox_celery.testing.clock import DatabaseClock
    from tilebox_celery.testing.crash import Crash
    from tilebox_celery.testing.ledgers import LedgerFactory
    from tilebox_celery.testing.trees import Node, assert_tree, tree_of

__all__ = ["Crash", "DatabaseClock", "LedgerFactory", "Node", "assert_tree", "tree_of"]


def __getattr__(name: str) -> object:
    """Load the helpers on first use: the plugin is imported by every pytest run of an environment."""
    from importlib import import_module

    homes = {"DatabaseClock": "clock", "Crash": "crash", "LedgerFactory": "ledgers"}
    if name in __all__:
        return getattr(import_module(f"tilebox_celery.testing.{homes.get(name, 'trees')}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
