"""Reports and pages: aligned, a hundred columns wide, with both numbers."""

import re

import pytest

from refgen.cards import CARDS, reject, verify
from refgen.cards.load import load_cards
from refgen.cards.text import (
    card_lines,
    card_page,
    counterexample_line,
    misprint_lines,
    misprint_page,
    number,
    report_lines,
    summary_line,
)

load_cards()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "yes"), (False, "no"), (0.1 + 0.2, "0.3"), (1e-12, "1e-12"), (3, "3"),
        ([1.0, [2.5]], "[1, [2.5]]"),
        ({"a": 0.5}, "{a=0.5}"), (list(range(20)), "[0, 1, 2, 3, 4, ... 20 values]"), ("inf", "inf"),
    ],
)  # fmt: skip
def test_numbers_read_well(value, text):
    assert number(value) == text


def test_a_counterexample_shows_both_numbers():
    shown = {"inputs": {"alpha_t": 0.5, "x_t": [1.0]}, "printed": 0.2357, "correct": 0.33}
    assert counterexample_line(shown) == "alpha_t=0.5, x_t=[1]: printed 0.2357, correct 0.33"
    raised = {"inputs": {"x": 1.0}, "printed": None, "correct": None, "note": "raised KeyError: 'x'"}
    assert counterexample_line(raised) == "x=1: raised KeyError: 'x'"


@pytest.mark.parametrize("id", [id for i, id in enumerate(CARDS) if i % 6 == 0])
def test_pages_fit_a_hundred_columns(id):
    card = CARDS[id]
    docstring = (card.formula.__doc__ or "") if card.formula else ""
    for line in card_page(card):
        assert len(line) <= 100 or line.strip() in docstring or " " not in line.strip(), line


def test_a_page_shows_which_arguments_may_be_left_out():
    assert "  ddim_mean(x_t, x_0, level_t, level_s, eta=0.0)" in card_page(CARDS["SDE-12/flow"])


def test_no_command_of_latex_runs_into_the_next_word():
    for card in CARDS.values():
        texts = [card.latex, *(text for wrong in card.wrong for text in (wrong.printed, wrong.correct))]
        for text in texts:
            assert not re.search(r"\\q?quad[A-Za-z]", text or ""), (card.id, text)


def test_lists_fit_a_hundred_columns():
    lines = card_lines(list(CARDS.values())) + misprint_lines([w for c in CARDS.values() for w in c.wrong])
    assert max(map(len, lines)) <= 100


def test_a_report_is_one_line_and_more_where_something_is_wrong():
    card = CARDS["POST-5/mean"]
    report = verify(card, examples=10)
    assert len(report_lines(report)) == 1 and len(report_lines(report)[0]) <= 100
    assert len(report_lines(report, verbose=True)) > 1
    failing = verify(card, formula=lambda x_t, x_0, alpha_t, alpha_bar_s: x_t, examples=10)
    first, second, *_ = report_lines(failing, wrong="yours")
    assert first.startswith("FAIL") and "yours [" in second and "correct [" in second


def test_a_misprint_is_told_whole():
    card = CARDS["POST-8"]
    wrong = next(w for w in card.wrong if w.id == "ERR-22")
    page = "\n".join(misprint_page(card, reject(card, wrong)))
    for part in ("ERR-22", "printed", "correct", "why", "where", "SJTU tutorial, slide 22", "smallest"):
        assert part in page


def test_the_summary_counts():
    counts = {"cards": 2, "passed": 1, "failed": 1, "misprints": 3, "rejected": 2, "seconds": 1.0}
    assert (
        summary_line(counts)
        == "2 cards: 1 passed, 1 FAILED. 3 wrong forms: 2 rejected, 1 NOT REJECTED. 1.0 s"
    )
    counts = {"cards": 1, "passed": 1, "failed": 0, "misprints": 0, "rejected": 0, "seconds": 1.0}
    assert summary_line(counts) == "1 card: 1 passed. 1.0 s"
