"""The errors that a workflow author may want to catch."""

from tilebox_celery.errors import (
    ArgumentError,
    AuthenticationError,
    BrokerUnavailable,
    DependencyError,
    InputError,
    InternalServerError,
    LedgerUnavailable,
    LedgerVersionMismatch,
    NoCacheError,
    NotFoundError,
    SubscriptionLimitExceededError,
    TileboxCeleryError,
    TooManySubtasks,
)

__all__ = [
    "ArgumentError",
    "AuthenticationError",
    "BrokerUnavailable",
    "DependencyError",
    "InputError",
    "InternalServerError",
    "LedgerUnavailable",
    "LedgerVersionMismatch",
    "NoCacheError",
    "NotFoundError",
    "SubscriptionLimitExceededError",
    "TileboxCeleryError",
    "TooManySubtasks",
]
