"""Claims: when they hold, by how much, and how they are told."""

import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from refgen.experiments.outcome import Claim, Outcome, claim_lines, outcome_lines, surprises, to_json


@pytest.mark.parametrize(
    ("claim", "holds", "margin"),
    [
        (Claim("a", 1.0, "<=", 2.0), True, "0.5 x bound"),
        (Claim("a", 2.0, "<=", 2.0), True, "1 x bound"),
        (Claim("a", 3.0, "<=", 2.0), False, "1.5 x bound"),
        (Claim("a", 3.0, ">=", 2.0), True, "1.5 x bound"),
        (Claim("a", 1.0, ">=", 2.0), False, "0.5 x bound"),
        (Claim("a", 1.02, "==", 1.0, 0.05), True, "off by 0.02"),
        (Claim("a", 1.1, "==", 1.0, 0.05), False, "off by 0.1"),
        (Claim("a", 7, "==", 7), True, "exactly"),
        (Claim("a", -0.1, "<=", 0.0), True, ""),
        (Claim("a", float("nan"), "<=", 2.0), False, "nan x bound"),
    ],
)
def test_a_claim_holds_or_not_and_by_how_much(claim, holds, margin):
    assert claim.holds is holds
    assert claim.margin == margin


def test_a_relation_is_one_of_three():
    with pytest.raises(ValueError, match="relation is '<'"):
        _ = Claim("a", 1.0, "<", 2.0).holds


def outcome(*claims, **more):
    return Outcome("A claim.", list(claims), more, Figure(), "What to see.", "With a condition.")


def test_only_what_is_not_as_known_is_a_surprise():
    claims = [
        Claim(str(expected), value, "<=", 1.0, 0.0, expected)
        for expected in (True, False)
        for value in (0, 2)
    ]
    assert [(c.what, c.measured) for c in surprises(outcome(*claims))] == [("True", 2), ("False", 0)]


def test_lines_name_the_verdict_the_number_and_the_bound_in_100_columns():
    text = outcome_lines("EXP-0", outcome(Claim("error " * 20, 0.25, "<=", 1.0), Claim("b", 3.0, "<=", 1.0)))
    assert max(map(len, text)) <= 100
    assert text[0] == "EXP-0  A claim."
    held = next(line for line in text if line.startswith("  holds"))
    assert "0.25 <= 1" in held and "0.25 x bound" in held
    assert any(line.startswith("! does not hold b  ") for line in text)
    assert text[-1] == "  What to see."


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("relation", ["<=", ">=", "=="])
@pytest.mark.parametrize("expected", [True, False])
def test_what_is_no_number_never_holds_and_is_always_a_surprise(value, relation, expected):
    claim = Claim("a", value, relation, 1.0, 1.0, expected)
    assert not claim.holds
    assert surprises(outcome(claim)) == [claim]
    assert claim_lines(claim)[0].startswith("! does not hold a  ")


def test_a_known_failure_says_so():
    (line,) = claim_lines(Claim("a", 3.0, "<=", 1.0, expected=False))
    assert line.startswith("  does not hold a (known not to hold)")


def test_json_is_plain_and_strict():
    found = to_json(
        outcome(Claim("a", np.float64(1.5), "<=", 2.0), rows=np.arange(3), far=np.inf, pair=(1, 2))
    )
    back = json.loads(json.dumps(found, allow_nan=False))
    assert back["claims"][0]["measured"] == 1.5 and back["claims"][0]["holds"] is True
    assert back["numbers"] == {"rows": [0, 1, 2], "far": None, "pair": [1, 2]}
    assert "figure" not in back
