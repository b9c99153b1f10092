"""The search finds the worst error and the smallest counterexample, and writes nothing."""

import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import refgen
from refgen.cards import CARDS, counterexample, plain, reject, verify, worst_case, z_limit
from refgen.cards.load import find_misprints, load_cards, search_cards
from refgen.cards.search import simplest_first

load_cards()


def test_counterexample_is_the_smallest():
    card = CARDS["POST-5/mean"]
    found = counterexample(card, lambda x_t, x_0, alpha_t, alpha_bar_s: 0 * x_t, card.reject_at)
    assert found is not None
    _, inputs = found
    assert len(inputs["x_t"]) == 1
    assert sorted([abs(inputs["x_t"][0]), abs(inputs["x_0"][0])]) == [0.0, 1.0]
    assert inputs["alpha_t"] == inputs["alpha_bar_s"] == 0.5


def test_same_seed_same_report():
    reports = [verify(CARDS["POST-5/mean"], random_seed=7) for _ in range(2)]
    for report in reports:
        report.pop("seconds")
    assert reports[0] == reports[1]


def test_the_shortest_to_write_of_the_drawn_inputs_is_taken_and_nothing_is_searched():
    card = CARDS["POST-5/mean"]
    _, _, drawn = worst_case(card, card.formula)
    tried = []

    def wrong(x_t, x_0, alpha_t, alpha_bar_s):
        tried.append(dict(x_t=x_t, x_0=x_0, alpha_t=alpha_t, alpha_bar_s=alpha_bar_s))
        return 0 * x_t

    verdict, inputs = counterexample(card, wrong, card.reject_at, drawn=simplest_first(drawn))
    assert verdict.error > card.reject_at and any(inputs is one for one in drawn)
    assert [len(str(plain(one))) for one in tried] == sorted(len(str(plain(one))) for one in tried)
    assert plain(tried[-1]) == plain(inputs) and len(tried) < 10


def test_where_no_drawn_input_refutes_a_form_it_is_searched():
    card = CARDS["POST-5/mean"]
    harmless = dict(x_t=np.zeros(1), x_0=np.zeros(1), alpha_t=0.5, alpha_bar_s=0.5)  # the mean is 0 too
    found = counterexample(card, lambda x_t, *rest: 0 * x_t, card.reject_at, drawn=[harmless])
    assert found is not None and found[0].error > card.reject_at


def test_a_drawn_input_without_two_numbers_is_not_taken():
    card = CARDS["POST-5/mean"]
    two = [dict(x_t=np.full(1, x), x_0=np.ones(1), alpha_t=0.5, alpha_bar_s=0.5) for x in (0.0, 1.0)]
    found = counterexample(card, lambda x_t, *rest: 2 / x_t, card.reject_at, drawn=two)
    assert found is not None and found[1] is two[1]


def test_a_formula_that_draws_global_noise_gives_one_report_and_leaves_the_generators_alone():
    def noisy(x_t, x_0, alpha_t, alpha_bar_s):
        return x_t + np.random.rand() + random.random()  # noqa: NPY002

    states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    errors = [worst_case(CARDS["POST-5/mean"], noisy, examples=20)[0].error for _ in range(2)]
    assert errors[0] == errors[1]
    assert states == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002


def test_misprint_err_3_has_two_states_and_two_steps():
    (card_id, wrong), *_ = find_misprints("ERR-3")
    shown = reject(CARDS[card_id], wrong)["counterexample"]
    assert np.shape(shown["inputs"]["forward"]) == (2, 2, 2)
    assert shown["printed"] < shown["correct"]  # as printed, the form lies below the bound


def test_a_form_that_is_not_finite_is_refuted_by_simple_inputs_too():
    card = CARDS["POST-5/mean"]
    found = counterexample(card, lambda x_t, x_0, alpha_t, alpha_bar_s: x_t * np.nan, card.reject_at)
    assert found is not None
    assert plain(found[1]) == {"x_t": [0.0], "x_0": [0.0], "alpha_t": 0.5, "alpha_bar_s": 0.5}


def test_check_of_ones_own_function():
    def mine(x_t, x_0, alpha_t, alpha_bar_s):
        alpha_bar_t = alpha_t * alpha_bar_s
        over = (1 - alpha_t) * alpha_bar_s**0.5 * x_0 + alpha_t**0.5 * (1 - alpha_bar_s) * x_t
        return over / ((1 - alpha_bar_t) or 1e-300)

    with pytest.raises(refgen.CheckError, match="alpha_t="):  # 1 - a*b loses digits near clean data
        refgen.check("POST-5/mean", mine)
    with pytest.raises(AssertionError, match=r"x_t=\[.*yours .* correct "):
        refgen.check("POST-5/mean", lambda x_t, x_0, alpha_t, alpha_bar_s: x_t)
    with pytest.raises(AssertionError, match="raised TypeError"):
        refgen.check("POST-5/mean", lambda x: x)
    assert refgen.check("GAU-7", lambda A, B, x: A * (x - B / (2 * A)) ** 2)["status"] == "pass"


def test_cards_are_found_by_words_symbols_and_papers():
    assert "POST-5/mean" in search_cards("Ho 7")[0]
    assert "POST-5/mean" in search_cards("mean posterior")[0]
    assert search_cards("post-5")[1] is True


def test_topics_and_titles_with_the_words_come_before_texts_with_them():
    found, _ = search_cards("score matching")
    topics = list(dict.fromkeys(CARDS[id].topic for id in found))
    assert topics[:3] == ["SM", "SSM", "DSM"] and "FLOW-1" in found[-40:]
    assert [CARDS[id].topic for id in found] == sorted(
        (CARDS[id].topic for id in found), key=topics.index
    )  # each topic in one piece
    titles, _ = search_cards("jensen")
    has = ["jensen" in CARDS[id].title.lower() for id in titles if CARDS[id].topic == CARDS[titles[0]].topic]
    assert has[0] and has == sorted(has, reverse=True)
    assert search_cards("Ho 7")[0] == [id for id in CARDS if id in search_cards("Ho 7")[0]]


def test_z_limit_grows_with_the_number_of_statistics():
    assert 3.8 < z_limit(1) < z_limit(10) < z_limit(1000) < 6


def test_nothing_is_written_into_the_folder(tmp_path: Path):
    os.chmod(tmp_path, 0o555)
    code = "from refgen.cli import main; main(['verify', 'GAU', 'POST-5', '--examples', '5'])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    os.chmod(tmp_path, 0o755)
    assert done.returncode == 0, done.stderr + done.stdout
    assert list(tmp_path.iterdir()) == []
