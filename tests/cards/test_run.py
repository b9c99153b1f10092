"""Runs over many cards: in one process or two the same reports; definitions pass with what they rest on."""

import pytest

from refgen.cards import CARDS, card, summary, verify_all
from refgen.cards.load import load_cards
from refgen.sources import FIELD

load_cards()
IDS = ["GAU-5", "GAU-7", "GAU-8", "GAU-9", "DELBO-9", "FWD-12"]


def reports(processes):
    found = {r["id"]: r for r in verify_all(IDS, processes=processes, examples=10, random_seed=3)}
    for report in found.values():
        report.pop("seconds")
    return found


def test_two_processes_find_what_one_finds():
    one, two = reports(1), reports(2)
    assert one == two
    assert set(one) == set(IDS)


@pytest.fixture
def broken(monkeypatch):
    """A card that fails, and definitions that rest on it and on one another."""
    monkeypatch.setattr(card, "CARDS", dict(CARDS))
    for module in ("run", "load"):
        monkeypatch.setattr(f"refgen.cards.{module}.CARDS", card.CARDS)
    card.equation(
        "TEST-1", title="t", formula=lambda x: x, latex="", sources=[FIELD()], evidence="algebra", how="h",
        cases=[{"x": 1.0}],
    )(lambda f, x: (f(x), 2.0))  # fmt: skip
    for id, shown in [("TEST-2", "TEST-1"), ("TEST-3", "TEST-2"), ("TEST-4", "TEST-99")]:
        card.definition(id, title="t", latex="", sources=[FIELD()], shown_by=[shown], module=__name__)


def test_a_definition_fails_with_what_it_rests_on(broken):
    found = {r["id"]: r for r in verify_all(["TEST-2", "TEST-3", "TEST-4"], processes=1)}
    assert set(found) == {"TEST-2", "TEST-3", "TEST-4"}
    for report in found.values():
        assert report["status"] == "fail"
    assert "TEST-1" in found["TEST-3"]["failure"]["note"]
    counts = summary(found.values(), 0.0)
    assert counts["failed"] == 3 and counts["passed"] == 0


def test_a_definition_names_what_shows_it():
    with pytest.raises(ValueError, match="names the cards or tests"):
        card.definition("TEST-5", title="t", latex="", sources=[], shown_by=[], module=__name__)
