"""Every error that tilebox_celery raises, in one tree.

TileboxCeleryError
├── AuthenticationError (IOError)         Postgres or the broker refused the login
├── ArgumentError (ValueError)            a value that a caller passed cannot be used
│   ├── DependencyError                   a dependency that no task graph can hold
│   ├── InputError                        task input that is not JSON, or too large
│   ├── CanvasError                       a Celery canvas (or a job) that cannot be translated
│   └── CacheKeyError                     a cache key that would leave its group
├── NotFoundError (KeyError)              no such job, task or cluster
├── StorageError (IOError)                a satellite product cannot be listed, downloaded or stored
│   ├── ProductDamaged                    what arrived is not what the provider announced
│   └── ArchiveError                      an archive that is damaged, or could write outside its folder
├── SubscriptionLimitExceededError (IOError)  kept for scripts that catch it; never raised here
├── InternalServerError (KeyError)        the ledger broke one of its own rules
├── LedgerUnavailable (ConnectionError)   Postgres cannot be reached
├── BrokerUnavailable (ConnectionError)   Redis or RabbitMQ cannot be reached
├── CatalogUnavailable (ConnectionError)  a STAC API or catalog cannot be reached, or keeps failing
├── LedgerVersionMismatch (RuntimeError)  ledger older or newer than this code
├── EmbeddedStackError (RuntimeError)     the servers in the data directory cannot be started
├── TooManySubtasks (ValueError)          one execution submitted more subtasks than it may
├── NoCacheError (ValueError)             the job cache was used, and the runner has none
├── TaskNotRegistered (RuntimeError)      the runner has no class for a task it was handed
└── LeaseLost (RuntimeError)              this attempt was given to another runner meanwhile
"""


class TileboxCeleryError(Exception):
    """The root of all errors of this package."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message if message is not None else (type(self).__doc__ or "").strip())

    def __str__(self) -> str:
        """Return the plain sentence (a KeyError would quote it)."""
        return str(self.args[0]) if self.args else ""


class AuthenticationError(TileboxCeleryError, OSError):
    """The server refused the login."""


class ArgumentError(TileboxCeleryError, ValueError):
    """An argument cannot be used."""


class DependencyError(ArgumentError):
    """A dependency does not belong to this submission."""


class InputError(ArgumentError):
    """The task input cannot be stored."""


class CanvasError(ArgumentError):
    """The canvas cannot be translated."""


class CacheKeyError(ArgumentError):
    """The cache key is not allowed."""


class NotFoundError(TileboxCeleryError, KeyError):
    """The requested object does not exist."""


class StorageError(TileboxCeleryError, OSError):
    """A satellite product cannot be listed, downloaded or stored."""


class ProductDamaged(StorageError):
    """What arrived is not what the provider announced."""


class ArchiveError(StorageError):
    """The archive cannot be unpacked."""


class SubscriptionLimitExceededError(TileboxCeleryError, OSError):
    """A quota of the hosted service is exhausted."""


class InternalServerError(TileboxCeleryError, KeyError):
    """Oops, something went wrong in the ledger."""


class LedgerUnavailable(TileboxCeleryError, ConnectionError):
    """The Postgres ledger cannot be reached."""


class BrokerUnavailable(TileboxCeleryError, ConnectionError):
    """The message broker cannot be reached."""


class CatalogUnavailable(TileboxCeleryError, ConnectionError):
    """The STAC catalog cannot be reached."""


class LedgerVersionMismatch(TileboxCeleryError, RuntimeError):
    """The ledger and this code do not have the same version."""


class EmbeddedStackError(TileboxCeleryError, RuntimeError):
    """The embedded servers cannot be started."""


class TooManySubtasks(TileboxCeleryError, ValueError):
    """One task execution submitted more subtasks than its class allows."""


class NoCacheError(TileboxCeleryError, ValueError):
    """No cache configured! Specify a cache using the cache argument of client.runner()."""


class TaskNotRegistered(TileboxCeleryError, RuntimeError):
    """The runner has no task class for this identifier."""


class LeaseLost(TileboxCeleryError, RuntimeError):
    """This attempt is no longer the current one: the task was given to another runner."""
