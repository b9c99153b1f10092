"""The judge compares like with like, in the units of the tolerance, and never calls a failure a rejection."""

import dataclasses
import functools
import json
import sys

import numpy as np
import pytest
from hypothesis import strategies as st

from refgen.cards import card as cards
from refgen.cards import judge, plain, verify
from refgen.cards.load import load_cards
from refgen.sources import FIELD

load_cards()
REAL = cards.CARDS


@pytest.fixture(autouse=True)
def registry(monkeypatch):
    monkeypatch.setattr(cards, "CARDS", {})
    return cards.CARDS


def make(check=lambda f, x: (f(x), 2 * x), formula=lambda x: 2 * x, given=None, **options):
    given = {} if "cases" in options else {"given": given or {"x": st.sampled_from([1.0, 2.0])}}
    register = cards.equation(
        "TEST-1", title="t", formula=formula, latex="", sources=[FIELD("")], evidence="algebra", how="h",
        **given, **options,
    )  # fmt: skip
    register(check)
    return cards.CARDS["TEST-1"]


def test_error_is_relative_to_the_derived_value_however_small():
    card = make(lambda f, x: (f(x), 1e-4))
    assert judge(card, lambda x: 1.4e-4, {"x": 1.0}).error == pytest.approx(0.4)


def test_error_is_relative_to_the_scale_where_terms_cancel():
    card = make(lambda f, x: (f(x), 1e-4, 10.0))
    assert judge(card, lambda x: 2e-4, {"x": 1.0}).error == pytest.approx(1e-5)


@pytest.mark.parametrize(
    ("value", "note"),
    [(np.zeros(3), "shape"), (np.nan, "not finite"), (np.inf, "not finite"), ("text", "numbers"), (None, "")],
)
def test_what_cannot_be_compared_is_wrong(value, note):
    verdict = judge(make(), lambda x: value, {"x": 1.0})
    assert verdict.error == np.inf
    assert note in verdict.note


def test_an_exception_says_what_and_where():
    verdict = judge(make(), lambda x: 1 / 0, {"x": 1.0})
    assert verdict.note.startswith("raised ZeroDivisionError: division by zero (in <lambda>, line ")


def test_a_wrong_form_that_raises_is_a_fault_of_the_card():
    card = make()
    cards.mutant("raises", of="TEST-1", why="")(lambda x: 1 / 0)
    report = verify(card)
    assert report["status"] == "fail"
    assert report["rejects"][0]["rejected"] is False
    assert "ZeroDivisionError" in report["rejects"][0]["note"]


def test_a_derivation_that_is_not_finite_is_a_fault_not_a_rejection():
    card = make(lambda f, x: (f(x), np.nan))
    cards.mutant("any", of="TEST-1", why="")(lambda x: 0.0)
    report = verify(card)
    assert report["status"] == "fail"
    assert "derivation" in report["failure"]["note"]


def in_place(means, signal):
    means -= means.mean(axis=0)
    return signal * means


def ones_in_place(weights, values):
    values[:] = 1
    return 0.0


@pytest.mark.parametrize(("id", "formula"), [("FWD-11/means", in_place), ("GAU-9", ones_in_place)])
def test_a_formula_that_changes_its_arguments_changes_not_the_derivation(id, formula):
    assert verify(REAL[id], formula=formula, examples=20)["status"] == "fail"


@pytest.mark.parametrize("value", [None, "text", {}, [None]])
def test_a_wrong_form_that_returns_no_number_is_no_rejection(value):
    card = make()
    cards.mutant("nothing", of="TEST-1", why="")(lambda x: value)
    report = verify(card)
    assert report["rejects"][0]["rejected"] is False and report["status"] == "fail"


def test_a_formula_that_exits_has_failed():
    verdict = judge(make(), lambda x: sys.exit(0), {"x": 1.0})
    assert verdict.error == np.inf and "raised SystemExit" in verdict.note


def test_a_callable_without_a_name_can_be_checked():
    report = verify(make(), formula=functools.partial(lambda k, x: k * x, 2))
    assert report["status"] == "pass" and "partial" in report["formula"]


def test_a_wrong_form_that_is_right_is_not_rejected():
    card = make()
    cards.mutant("right", of="TEST-1", why="")(lambda x: x + x)
    report = verify(card)
    assert report["status"] == "fail"
    assert report["rejects"][0]["rejected"] is False


def test_inequality_counts_only_the_wrong_side():
    card = make(lambda f, x: (f(x), 1.0), relation="<=")
    assert card.kind == "inequality"
    assert judge(card, lambda x: -5.0, {"x": 1.0}).error == 0.0
    assert judge(card, lambda x: 1.5, {"x": 1.0}).error == pytest.approx(0.5)


def test_claim_compares_yes_with_yes():
    card = make(lambda f, x: (f(x), x > 1.5), formula=lambda x: x > 1.5, kind="claim")
    assert verify(card)["status"] == "pass"
    cards.mutant("always", of="TEST-1", why="")(lambda x: True)
    shown = verify(card)["rejects"][0]["counterexample"]
    assert shown == {"inputs": {"x": 1.0}, "printed": True, "correct": False}


def test_fixed_cases_need_no_search():
    calls = []

    def check(f, seed):
        calls.append(seed)
        return f(seed), 2 * seed

    card = make(check, cases=[{"seed": 3}, {"seed": 4}])
    assert verify(card)["status"] == "pass"
    assert calls == [3, 4]


@pytest.mark.parametrize("options", [{"cases": [{}]}, {"cases": [], "tolerance": 1.0}])
def test_a_card_needs_inputs(options):
    with pytest.raises(ValueError, match="needs either"):
        make(**options)


def test_an_id_stands_once():
    cards.CARDS["TEST-1"] = dataclasses.replace(make(), module="elsewhere")
    with pytest.raises(ValueError, match="stands already"):
        make()


def test_plain_is_strict_json():
    value = {
        "a": np.arange(3),
        "b": (np.float32(1), np.inf, np.nan),
        "c": np.bool_(True),
        "d": None,
        "e": 1 + 2j,
    }
    assert json.loads(json.dumps(plain(value), allow_nan=False)) == {
        "a": [0, 1, 2],
        "b": [1.0, "inf", "nan"],
        "c": True,
        "d": None,
        "e": [1.0, 2.0],
    }
