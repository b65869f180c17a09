"""Show how far a load or an ingest has come: a bar on a terminal, or calls of a function."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Page = TypeVar("Page")
Thing = TypeVar("Thing")
STEPS = 1000
"""Parts of a bar: a fraction is shown in permille."""


def follow(pages: Iterable[tuple[Page, float]], show: bool | Callable[[float], object], title: str) -> Iterator[Page]:
    """Yield pages, and show the fraction that is done after each.

    Args:
        pages: Each with the fraction that is done with it, from 0 to 1.
        show: Draw a bar on stderr, or call this with the fraction.
        title: Of the bar.

    Example:
        >>> seen = []
        >>> list(follow([("a", 0.5), ("b", 1.0)], seen.append, "Loading"))
        ['a', 'b']
        >>> seen
        [0.5, 1.0]
    """
    if callable(show):
        done = 0.0
        for page, done in pages:
            yield page
            show(done)
        if done < 1.0:
            show(1.0)
    elif show:
        from tqdm.auto import tqdm

        with tqdm(
            total=STEPS, desc=title, bar_format="{desc}: {percentage:3.0f}% |{bar}| {elapsed}<{remaining}"
        ) as bar:
            for page, done in pages:
                yield page
                bar.update(round(done * STEPS) - bar.n)
            bar.update(STEPS - bar.n)
    else:
        for page, _ in pages:
            yield page


def count(things: Iterable[Thing], show: bool, title: str, unit: str) -> Iterator[Thing]:
    """Yield things of which nobody knows how many there are, and show how many there were so far.

    Args:
        things: To yield.
        show: Whether to draw that on stderr.
        title: Of the line.
        unit: Names many of them.

    Example:
        >>> list(count("abc", False, "Reading", "letters"))
        ['a', 'b', 'c']
    """
    if not show:
        yield from things
        return
    from tqdm.auto import tqdm

    with tqdm(desc=title, bar_format=f"{{desc}}: {{n_fmt}} {unit} in {{elapsed}}") as bar:
        for thing in things:
            yield thing
            bar.update()
