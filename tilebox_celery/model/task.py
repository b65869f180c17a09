"""The base class of all tasks, and the checks that a task class passes when it is created."""

import inspect
import re
import sys
from collections.abc import Callable, Coroutine
from copy import copy
from dataclasses import MISSING, Field, dataclass, field, fields
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar, dataclass_transform

from tilebox_celery.model.identifiers import TaskIdentifier

if TYPE_CHECKING:
    from tilebox_celery.model.context import ExecutionContext

_RESERVED = {"execute", "identifier", "max_subtasks"}


@dataclass_transform(field_specifiers=(field,))
class Task:
    """One piece of work: annotated fields are its input, `execute` is what it does.

    A subclass becomes a dataclass. Options of `dataclass` can be given in the class header.

    Example:
        >>> class Greet(Task):
        ...     name: str
        ...
        ...     def execute(self, context):
        ...         print(f"Hello {self.name}")
        >>> Greet("World")
        Greet(name='World')
    """

    max_subtasks: ClassVar[int | None]
    """How many subtasks one execution may submit; None means any number, not set means the setting."""

    __task_identifier__: ClassVar[TaskIdentifier]
    __local_types__: ClassVar[dict[str, Any]] = {}

    def execute(self, context: "ExecutionContext") -> Coroutine[Any, Any, None] | None:
        """Do the work; a subclass overrides this, with `def` or `async def`.

        Args:
            context: Submits subtasks, reaches the job cache, reports progress.
        """
        raise NotImplementedError(f"Task {type(self).__name__} has no execute method.")

    @classmethod
    def identifier(cls) -> tuple[str, str]:
        """Return name and version of this task; override it to rename the class or to release a new version."""
        return cls.__name__, "v0.0"

    def __init_subclass__(cls, **options: Any) -> None:
        """Turn the subclass into a dataclass and check it."""
        super().__init_subclass__()
        if options.get("slots"):  # dataclass would make a second class, and this one could not be replaced by it
            raise TypeError(
                f"Task {cls.__name__}: write slots=True in a @dataclass decorator, not in the class header."
            )
        if "__dataclass_fields__" not in cls.__dict__:  # else it is such a second class, whose fields are known
            _make_dataclass(cls, options)
        _check_field_names(cls)
        cls.__local_types__ = {**cls.__local_types__, **_local_types(cls, sys._getframe(1))}
        _check_execute(cls)
        _check_max_subtasks(cls)
        cls.__task_identifier__ = _read_identifier(cls)


def task_identifier(cls: type[Task]) -> TaskIdentifier:
    """Return the checked identifier of a task class.

    Example:
        >>> class Mosaic(Task): ...
        >>> task_identifier(Mosaic)
        TaskIdentifier(name='Mosaic', version='v0.0')
    """
    return cls.__task_identifier__


def is_executable(cls: type[Task]) -> bool:
    """Return whether a task class, or one of its bases, says what to execute."""
    return cls.execute is not Task.execute and not getattr(cls, "__abstractmethods__", None)


def check_registrable(cls: object) -> type[Task]:
    """Check that a runner can register something as a task class.

    Returns:
        The class itself.

    Raises:
        TypeError: It is no task class.
        ValueError: It has no execute method.
    """
    if not (isinstance(cls, type) and issubclass(cls, Task) and cls is not Task):
        raise TypeError(f"{getattr(cls, '__name__', None) or repr(cls)} is not a task!")
    if not is_executable(cls):
        raise ValueError(f"Task {cls.__name__} is not executable. Give it a method execute(self, context).")
    return cls


def _make_dataclass(cls: type[Task], options: dict[str, Any]) -> None:
    # dataclass() removes what field(...) said from the class. A user's own @dataclass comes after this one and must
    # find it again, or it would take such a field for a required one, and forget its metadata.
    specified = {name: copy(spec) for name, spec in vars(cls).items() if isinstance(spec, Field) and spec.init}
    dataclass(**options)(cls)
    for name, spec in specified.items():
        if spec.default_factory is not MISSING or spec.metadata:
            setattr(cls, name, spec)


def _check_field_names(cls: type[Task]) -> None:
    for name in _RESERVED & {each.name for each in fields(cls)}:  # type: ignore[arg-type] # is a dataclass by now
        advice = "annotate it as ClassVar[int | None]" if name == "max_subtasks" else "rename it"
        raise TypeError(f"Task {cls.__name__} has a field called {name!r}, which Task itself needs; {advice}.")


def _check_execute(cls: type[Task]) -> None:
    function = cls.__dict__.get("execute")
    if function is None:
        return
    expected = f"Expected a function signature of `execute(self, context) -> None` in task {cls.__name__}"
    if isinstance(function, staticmethod | classmethod) or not callable(function):
        raise TypeError(f"{expected}, got a {type(function).__name__}.")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{expected}, got a generator, whose code would never run; remove the yield.")
    signature = inspect.signature(function)
    if not _takes_self_and_context(signature):
        raise TypeError(f"{expected}, got `execute{signature}`.")
    if _hands_on(signature):
        return  # what it says about its own result is nothing about execute
    if signature.return_annotation not in (inspect.Signature.empty, None, "None"):
        raise TypeError(f"Expected execute of task {cls.__name__} to not have a return value!")


def _hands_on(signature: inspect.Signature) -> bool:
    """Return whether this is the wrapper of a decorator, which takes anything."""
    return any(each.kind is inspect.Parameter.VAR_POSITIONAL for each in signature.parameters.values())


def _takes_self_and_context(signature: inspect.Signature) -> bool:
    if _hands_on(signature):
        try:
            signature.bind(None, None)
        except TypeError:
            return False
        return True
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return len(signature.parameters) == 2 and all(each.kind in positional for each in signature.parameters.values())


def _check_max_subtasks(cls: type[Task]) -> None:
    limit = getattr(cls, "max_subtasks", None)
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 0):
        raise TypeError(f"max_subtasks of task {cls.__name__} must be a number >= 0 or None, not {limit!r}.")


def _read_identifier(cls: type[Task]) -> TaskIdentifier:
    # Callable[[], object], since a user's class may return anything here
    identifier: Callable[[], object] = cls.identifier
    try:
        value = identifier()
    except TypeError as error:
        raise TypeError(
            f"identifier() of task {cls.__name__} must be callable without an instance; make it a staticmethod."
        ) from error
    if not isinstance(value, tuple):
        raise TypeError(f"Task {cls.__name__}: identifier() must return a tuple (name, version), not {value!r}.")
    try:
        return TaskIdentifier.parse(value)
    except TypeError as error:
        raise TypeError(f"Task {cls.__name__}: {error}") from None


def _local_types(cls: type, frame: FrameType | None) -> dict[str, Any]:
    # Annotations that are still text may name classes that are local to a function; later nobody could find them.
    hints = [each.type for each in fields(cls)]
    texts = [hint if isinstance(hint, str) else repr(hint) for hint in hints if not isinstance(hint, type)]
    names = {name for text in texts for name in re.findall(r"[^\W\d]\w*", text)}
    found: dict[str, Any] = {}
    while frame is not None and names:
        if frame.f_locals is not frame.f_globals:
            found |= {name: frame.f_locals[name] for name in names & frame.f_locals.keys()}
            names -= found.keys()
        frame = frame.f_back if frame.f_globals.get("__name__") == "abc" else None  # ABCMeta stands between
    return found
