"""The search finds the worst error and the smallest counterexample, and writes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import refgen
from refgen.cards import CARDS, counterexample, plain, reject, verify, z_limit
from refgen.cards.load import find_misprints, load_cards, search_cards

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
