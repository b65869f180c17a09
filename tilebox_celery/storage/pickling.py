"""Pickle a storage client by the arguments that made it, as long as none of them is a secret."""

import inspect
from typing import Any, Self

SECRETS = ("secret_access_key", "session_token", "password")
"""Arguments that no pickle may hold: whatever sends a pickle may also store it, or show it."""


class PickledByArguments:
    """A copy is made anew in its process, with connections of its own and the login of the variables there."""

    def __new__(cls, *arguments: Any, **named: Any) -> Self:
        """Remember what it is made of."""
        made = super().__new__(cls)
        made.__dict__["_arguments"] = (arguments, named)
        return made

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        """Return how to make it again.

        Raises:
            TypeError: It was given a secret.
        """
        arguments, named = self.__dict__["_arguments"]
        given = inspect.signature(type(self)).bind(*arguments, **named).arguments
        for name in SECRETS:
            if given.get(name) is not None:
                raise TypeError(
                    f"A {type(self).__name__} that was given a {name} cannot be pickled, since the pickle would hold "
                    "it: set the variables of the login in each process instead, or make the client there."
                )
        return remade, (type(self), arguments, named)


def remade(cls: type, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Make a client again."""
    return cls(*arguments, **named)
