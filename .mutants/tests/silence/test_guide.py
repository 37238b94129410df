"""The guide's table is that of the faults which the tests cause."""

from tests.silence.faults import BEGIN, END, GUIDE, table


def test_the_table_of_the_guide_is_that_of_the_faults() -> None:
    found = GUIDE.read_text().partition(BEGIN)[2].partition(END)[0]

    assert found == table(), "write it anew: python -m tests.silence.faults"
