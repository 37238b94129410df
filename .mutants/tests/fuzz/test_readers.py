"""The short form of fuzzing: each reader reads a few hundred texts that are like valid ones, and any bytes.

The long form is `python -m tests.fuzz READER --seconds 3600`.
"""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.examples import examples
from tests.fuzz.readers import READERS, check


def near(seeds: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """Valid data, cut and joined at random places, with a few other bytes between."""
    cut = st.tuples(st.sampled_from(seeds), st.integers(0, 80), st.integers(0, 80)).map(
        lambda found: found[0][min(found[1:]) : max(found[1:])]
    )
    whole = st.sampled_from(seeds)
    return st.lists(st.one_of(cut, whole, st.binary(max_size=3)), max_size=5).map(b"".join)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_raises_only_what_it_documents(name: str) -> None:
    @settings(max_examples=examples(300))
    @given(st.one_of(near(READERS[name].seeds), st.binary(max_size=60), st.text(max_size=40).map(str.encode)))
    @example(b"")
    def read(data: bytes) -> None:
        check(name, data)

    for seed in READERS[name].seeds:
        check(name, seed)
    read()
