import re
from pathlib import Path

import clock.web
from clock.store.ledger.decision import DecisionKind

STYLES = (Path(clock.web.__file__).parent / "static" / "dashboard.css").read_text()


def test_the_kinds_that_fire_are_those_whose_action_ran_at_its_due_instant() -> None:
    assert [kind for kind in DecisionKind if kind.fires] == ["fired", "caught_up"]


def test_each_kind_has_words_and_colours_of_its_own() -> None:
    assert len({kind.words for kind in DecisionKind}) == len(DecisionKind)
    assert len({colour for kind in DecisionKind for colour in kind.colours}) == 2 * len(DecisionKind)


def test_the_dashboard_draws_each_kind_in_its_colours() -> None:
    for kind in DecisionKind:
        assert set(re.findall(rf"--{kind}: (#\w+);", STYLES)) == set(kind.colours), kind
