"""Every card passes, rejects its wrong forms, and derives its number without the formula that it checks."""

import importlib
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refgen.cards import CARDS, verify
from refgen.cards.load import load_cards

load_cards()
COMPUTING = [id for id, card in CARDS.items() if card.check is not None]
SEEDLESS = [id for id in COMPUTING if CARDS[id].tolerance32 is not None]


@pytest.mark.parametrize("id", COMPUTING)
def test_card_passes_and_rejects(id: str) -> None:
    report = verify(CARDS[id], examples=25, random_seed=1)
    assert report["status"] == "pass", report
    assert report["rejects"], f"{id} rejects nothing: it is not a check yet"
    for reject in report["rejects"]:
        assert reject["rejected"], reject
        shown = reject["counterexample"]
        assert shown["inputs"] and shown["printed"] is not None and shown["correct"] is not None, shown


@pytest.mark.parametrize("id", SEEDLESS)
def test_card_passes_in_float32(id: str) -> None:
    report = verify(CARDS[id], formula=CARDS[id].formula, examples=15, precision="float32")
    assert report["status"] == "pass", report


def scaled(value):
    """1.1 times every number in what a formula returned; a predicate turned round."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(scaled, value))
    if isinstance(value, tuple | list):
        return type(value)(scaled(item) for item in value)
    if isinstance(value, bool | np.bool_):
        return not value
    return value * 1.1 if isinstance(value, int | float | np.ndarray | np.number) else value


@pytest.mark.parametrize("id", COMPUTING)
def test_derivation_is_independent_of_the_formula(id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    card = CARDS[id]
    formula = card.formula

    def ten_percent_more(*args, **kwargs):
        return scaled(formula(*args, **kwargs))

    drawn = list(card.cases[:2])
    if card.given:

        @settings(max_examples=6, database=None, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.one_of(*card.given))
        def draw(inputs):
            drawn.append(inputs)

        draw()
    module = importlib.import_module(formula.__module__)
    for inputs in drawn:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # schedules of two steps leave signal, and say so
            before = card.check(formula, **inputs)
            with monkeypatch.context() as patch:
                patch.setattr(module, formula.__name__, ten_percent_more)
                after = card.check(ten_percent_more, **inputs)
        assert np.array_equal(np.asarray(before[1]), np.asarray(after[1]), equal_nan=True), inputs


def test_every_definition_rests_on_something_that_is_there() -> None:
    root = Path(__file__).parents[2]
    for card in CARDS.values():
        for shown in card.shown_by:
            if "::" in shown:
                file, _, name = shown.partition("::")
                assert f"def {name}(" in (root / file).read_text(), f"{card.id}: no test {shown}"
            elif shown not in CARDS:
                assert importlib.import_module(shown), f"{card.id}: no card or experiment {shown}"


ROWS = {"GAU": 11, "FWD": 12, "POST": 15, "DELBO": 15, "PAR": 8, "SNR": 7, "TWE": 5, "DDPM": 7}
ROWS |= {"EBM": 14, "SM": 10, "SSM": 11, "DSM": 14, "LAN": 9, "NCSN": 11, "FLOW": 14}
ROWS |= {"ELBO": 8, "HVAE": 6, "SDE": 12, "GUIDE": 7, "FM": 6, "EDM": 5}


@pytest.mark.parametrize(("topic", "rows"), ROWS.items())
def test_every_row_has_its_card(topic: str, rows: int) -> None:
    there = {card.row for card in CARDS.values() if card.topic == topic}
    assert there == {f"{topic}-{n}" for n in range(1, rows + 1)}


def test_every_misprint_of_these_topics_is_rejected_by_a_card() -> None:
    numbers = set(range(1, 55))
    there = {w.id.partition("/")[0] for card in CARDS.values() for w in card.wrong if w.kind == "misprint"}
    assert {f"ERR-{n}" for n in numbers} <= there
    for card in CARDS.values():
        for wrong in card.wrong:
            if wrong.kind == "misprint":
                assert wrong.printed and wrong.correct and wrong.why and wrong.source, wrong.id


def test_cited_places_are_places_in_a_source_not_lines_of_a_file() -> None:
    for card in CARDS.values():
        assert card.sources, card.id
        for cited in card.sources:
            assert not any(word.lstrip("L").isdigit() and word[0] == "L" for word in cited.where.split()), (
                cited
            )
