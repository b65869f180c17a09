"""The examples in the docstrings of observability."""

import doctest
import importlib
import logging

import pytest

MODULES = ["context_logger", "destination", "export", "logging", "text", "traceparent", "tracing"]


@pytest.mark.parametrize("module", MODULES)
def test_examples_run(module: str) -> None:
    """Each example in a docstring does what it says."""
    loggers = [logging.getLogger(name) for name in ("tilebox_celery", "tilebox_celery.workflows")]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]

    result = doctest.testmod(importlib.import_module(f"tilebox_celery.observability.{module}"))

    for logger, handlers, level, propagate in before:
        logger.handlers[:], logger.level, logger.propagate = handlers, level, propagate
    assert result.attempted > 0
    assert result.failed == 0
