"""Hypothesis strategies for what people submit: families of tasks with dependencies, limits, versions and clusters."""

from hypothesis import strategies as st
from reference import Spec

NAMES = ("Tile", "Mosaic")
VERSIONS = ((1, 0), (1, 2), (1, 10), (2, 0))
CLUSTERS = ("a", "b")


@st.composite
def families(draw: st.DrawFn, max_size: int = 4) -> list[Spec]:
    """Draw siblings: mostly plain ones of the first cluster, so that jobs get ahead."""
    size = draw(st.integers(1, max_size))
    return [draw(specs(position)) for position in range(size)]


@st.composite
def specs(draw: st.DrawFn, position: int = 0) -> Spec:
    """Draw one task that may depend on the siblings before it."""
    before = st.integers(0, position - 1)
    return Spec(
        name=draw(st.sampled_from(NAMES)),
        version=draw(st.sampled_from(VERSIONS)),
        cluster=draw(st.sampled_from(CLUSTERS[:1] * 3 + CLUSTERS[1:])),
        depends_on=tuple(sorted(draw(st.sets(before, max_size=2)))) if position else (),
        optional=draw(st.integers(0, 3)) == 0,
        limit=draw(st.sampled_from((None, None, None, ("disk", 1), ("net", 2)))),
        max_retries=draw(st.sampled_from((0, 0, 1, 2))),
    )


@st.composite
def capabilities(draw: st.DrawFn) -> dict[tuple[str, int], int]:
    """Draw what a runner has registered: the highest minor version of each name and major version."""
    everything = {("Tile", 1): 10, ("Tile", 2): 0, ("Mosaic", 1): 10, ("Mosaic", 2): 0}
    if draw(st.booleans()):
        return everything
    chosen = draw(st.sets(st.sampled_from(sorted(everything)), min_size=1))
    return {key: draw(st.sampled_from((0, 2, 10))) for key in sorted(chosen)}
