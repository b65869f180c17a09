"""Print figures beside the bars that they must hold, and keep them for a file."""

import sys
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Report:
    """What one run of the benchmarks found."""

    figures: dict[str, Any] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    held: int = 0

    def note(self, text: str) -> None:
        """Say what goes on."""
        print(text, flush=True)

    def add(self, name: str, **figures: Any) -> None:
        """Keep figures."""
        self.figures.setdefault(name, {}).update(figures)

    def bar(
        self,
        name: str,
        what: str,
        value: float,
        unit: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Print one figure with the bar that it must hold.

        Args:
            name: Of the benchmark.
            what: Is measured.
            value: The figure.
            unit: Of the figure and the bar.
            at_least: It should reach this.
            at_most: It should not exceed this.
        """
        line, holds = self._line(name, what, value, unit, at_least, at_most)
        self.note(f"{line}  {'holds' if holds else 'MISSED'}")
        if holds:
            self.held += 1
        else:
            self.missed.append(" ".join(line.split()))

    def reach(
        self,
        name: str,
        what: str,
        value: float,
        unit: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Print one figure with what it would be good to reach."""
        line, holds = self._line(name, what + " (reach for)", value, unit, at_least, at_most)
        self.note(f"{line}  {'reached' if holds else 'not reached'}")

    def failed(self, name: str, error: Exception) -> None:
        """Say that a benchmark could not be run to its end."""
        line = f"{name}: {type(error).__name__}: {error}"
        self.note(f"  failed: {line}")
        self.missed.append(line)
        self.add(name, error=line)

    def _line(
        self, name: str, what: str, value: float, unit: str, at_least: float | None, at_most: float | None
    ) -> tuple[str, bool]:
        bound, sign = (at_least, "at least") if at_least is not None else (at_most, "at most")
        assert bound is not None, "a bar has a bound"
        holds = value >= bound if at_least is not None else value <= bound
        self.add(name, **{what: {"value": value, "unit": unit, sign.replace(" ", "_"): bound, "holds": holds}})
        return f"  {name:8} {what:38} {value:10,.2f} {unit:4} {sign} {bound:,g}", holds

    def end(self) -> int:
        """Say what was missed; gives the exit code: 0 also then, since a busy machine is no error."""
        total = self.held + len(self.missed)
        print(f"\n{self.held} of {total} bars hold.")
        for line in self.missed:
            print(f"  missed: {line}")
        sys.stdout.flush()
        return 0
