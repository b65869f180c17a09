"""A Task class that submits the subtasks that it is told to, and random trees of it."""

from typing import Any, ClassVar

from hypothesis import strategies as st

from tilebox_celery.workflows import ExecutionContext, Task

Family = list[dict[str, Any]]
"""Siblings: of each the positions of earlier ones that it waits for, its options, limit and family."""


class Grow(Task):
    """Writes down that it ran, and submits its family."""

    name: str
    family: list[dict[str, Any]]
    ran: ClassVar[list[str]] = []

    def execute(self, context: ExecutionContext) -> None:
        self.ran.append(self.name)
        siblings: list[Any] = []
        for index, member in enumerate(self.family):
            siblings.append(
                context.submit_subtask(
                    Grow(f"{self.name}.{index}", member["family"]),
                    depends_on=[siblings[need] for need in member["after"]],
                    limit=member["limit"] and tuple(member["limit"]),
                    **member["options"],
                )
            )


@st.composite
def families(draw: st.DrawFn, depth: int = 2) -> Family:
    """Draw up to four siblings, with families of their own down to a depth."""
    count = draw(st.integers(0, 4 if depth == 2 else 3))
    return [
        {
            "after": sorted(draw(st.sets(st.integers(0, index - 1), max_size=2))) if index else [],
            "options": {"max_retries": draw(st.integers(0, 1)), "optional": draw(st.booleans())},
            "limit": draw(st.sampled_from([None, ["a", 1], ["b", 2]])),
            "family": draw(families(depth - 1)) if depth else [],
        }
        for index in range(count)
    ]
