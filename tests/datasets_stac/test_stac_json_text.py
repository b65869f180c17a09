"""The text of JSON is that of Python's own module, made faster."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from tilebox_celery.datasets.stac.json_text import canonical_dumps

TEXT = st.text('ae-17"\\\\,: é', max_size=12)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
@example({"scale": 2.75e-05, 'a"e-7,': ["e-7", 1e-7, 'x\\\\"', 1e-9, 1e-10]})
@example([1e-4, 1e-5, 1.5e-6, 1e15, 1e16, 1e17, 1e22, 5e-324, -0.0])
def test_the_text_is_that_of_pythons_module(value: Any) -> None:
    """Incoming data of other forms are written by it, and ids are made of the text."""
    assert canonical_dumps(value) == json.dumps(value, sort_keys=True, separators=(",", ":"))
