"""A comparison's numbers, its table and its figure, from runs and evaluations with known numbers."""

import json

import numpy as np
import pytest
from matplotlib.colors import to_rgba

from refgen import distributions, plots, runs
from refgen.backend import Stream
from refgen.evaluation import evaluate
from refgen.experiments import comparison
from tests import direct


def done(seed, **other):
    entry = {
        "seed": seed,
        "folder": f"a-seed{seed}",
        "status": "done",
        "x_floor": 1.0 + seed,
        "distance": 0.1,
    }
    entry |= {"floor": 0.1, "nll": 2.0 + seed, "entropy": 1.5, "gap": 0.5 + seed, "modes": 8 - seed}
    entry |= {"params": 1_000_000, "train_seconds": 90.0, "sample_seconds": 2.0 + seed, "nfe": 10_000}
    return entry | other


def failed(seed):
    return {
        "seed": seed,
        "folder": "b",
        "status": "failed",
        "error": "it " + 40 * "went ill, ",
        "log": "b.log",
    }


def compared(*rows, modes=8, seeds=2):
    about = {"data": "ring", "steps": 10_000, "batch": 512, "seeds": seeds, "n": 10_000, "modes": modes}
    return {**about, "models": list(rows)}


def test_mean_and_range_are_over_the_seeds_that_are_done():
    row = comparison.summary("a", "bound", 0.0, [done(0), done(1), failed(2)])
    assert row["mean"]["x_floor"] == 1.5 and row["low"]["x_floor"] == 1.0 and row["high"]["x_floor"] == 2.0
    assert row["mean"]["modes"] == 7.5 and row["mean"]["nfe"] == 10_000
    none = comparison.summary("b", None, 0.0, [failed(0)])
    assert none["mean"]["x_floor"] is None and none["low"]["nfe"] is None
    json.dumps([row, none], allow_nan=False)


def test_the_table():
    rows = [
        comparison.summary("ddpm", "bound", 0.0, [done(0), done(1)]),
        comparison.summary("autoregressive", "exact", 0.05, [done(0, gap=-0.001), done(1, gap=-0.002)]),
        comparison.summary("gan", None, 0.0, [done(k, nll=None, gap=None, entropy=None) for k in (0, 0)]),
        comparison.summary("bad", "bound", 0.0, [done(0, x_floor=3e5, gap=1e6), done(1, x_floor=4e5)]),
        comparison.summary("slow", "exact", 0.0, [done(k, train_seconds=4000.0 + k) for k in (0, 1)]),
        comparison.summary("worse", None, 0.0, [failed(0), failed(1)]),
    ]
    lines = comparison.table_lines(compared(*rows))
    assert max(map(len, lines)) <= 100
    assert lines[0] == "ring: 10,000 steps of 512 points each, 2 seeds; mean, and below it the range"
    heading, ddpm, span, auto, _, gan, bad, _, _, slow, worse = lines[2:13]
    words = [
        "model",
        "x",
        "floor",
        "NLL",
        "-",
        "entropy",
        "modes",
        "params",
        "train",
        "s",
        "sample",
        "s",
        "NFE",
    ]
    assert heading.split() == words
    assert ddpm.split() == ["ddpm", "1.50", "<=", "1.000", "7.5/8", "1,000,000", "90.0", "2.50", "10,000"]
    assert span.split() == ["1.00..2.00", "0.500..1.500", "7..8", "2.00..3.00"]
    assert auto.startswith("autoregressive* ") and auto.split()[2] == "-0.002"  # exact: no <=
    assert gan.split()[:3] == ["gan", "1.00", "-"] and "3.5e+05" in bad
    assert slow.split()[-1] == "2.00..3.00" and slow.split()[-2] == "4,000..4,001"
    assert worse.split() == ["worse", "failed"]
    text = "\n".join(lines)
    assert "<=: an upper bound" in text and "*: learns the data under noise of std 0.05" in text
    assert text.count("failed: worse, seed") == 2


def test_seconds_have_three_digits_or_so():
    shown = [comparison._seconds(value) for value in (0.0042, 0.0994, 0.2, 9.99, 9.999, 99.9, 99.96, 1234.5)]
    assert shown == ["0.004", "0.099", "0.20", "9.99", "10.0", "99.9", "100", "1,234"]


def test_the_first_line_says_what_each_was_trained_with():
    row = comparison.summary("a", "exact", 0.0, [done(0)])
    for steps, batch, said in [
        (None, None, "ring: each model's usual training, 1 seed"),
        (2000, None, "ring: 2,000 steps of its usual batch each, 1 seed"),
        (None, 64, "ring: each model's usual steps of 64 points each, 1 seed"),
        (2000, 64, "ring: 2,000 steps of 64 points each, 1 seed"),
    ]:
        lines = comparison.table_lines(compared(row, seeds=1) | {"steps": steps, "batch": batch})
        assert lines[0] == said


def test_what_each_model_was_trained_for_is_said_where_they_differ():
    rows = [
        comparison.summary("ddpm", None, 0.0, [done(0)]) | {"steps": 10_000},
        comparison.summary("spline", None, 0.0, [done(0)]) | {"steps": 3000},
    ]
    said = "training steps: ddpm 10,000, spline 3,000"
    about = compared(*rows, seeds=1)
    assert said in comparison.table_lines(about | {"steps": None})
    assert said not in comparison.table_lines(about)


def test_without_modes_and_entropy_and_with_one_seed():
    points = comparison.summary("a", "exact", 0.0, [done(0, gap=None, entropy=None, modes=None)])
    lines = comparison.table_lines(compared(points, modes=None, seeds=1))
    assert "NLL, nats" in lines[2] and "entropy" not in lines[2] and "modes" not in lines[2]
    assert lines[0].endswith("1 seed") and lines[4] == "" and "2.000" in lines[3]
    assert "upper bound" not in "\n".join(lines)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A Gaussian with independent coordinates, fitted to a ring."""
    direct.register(monkeypatch)
    law = distributions.named("ring").standardised()[0]
    for _ in runs.train(tmp_path / "run", direct.Direct(), law, steps=150, batch=32):
        pass
    return runs.load(tmp_path / "run"), law


def test_numbers_are_those_of_the_run_and_its_evaluation(run):
    run, law = run
    report = evaluate(run.model, run.params, law, Stream(0), n=500)
    found = comparison.numbers(run, report)
    assert found["params"] == 4 and found["nfe"] == 1 and found["train_seconds"] >= 0
    assert (
        found["sample_seconds"] == report["seconds"] and found["x_floor"] == report["samples"]["times_floor"]
    )
    assert found["gap"] == pytest.approx(found["nll"] - law.entropy) and found["gap"] > 0.5
    assert found["modes"] == sum(report["modes"]["covered"])
    assert {key for key, *_ in comparison.COLUMNS} <= set(found)


def test_the_figure_has_a_panel_a_model_and_the_laws_that_they_learn(run):
    run, law = run
    row = comparison.summary("direct", "exact", 0.0, [done(0)])
    noisy = comparison.summary("other", None, 0.5, [done(0, gap=None)])
    said = []
    drawn = comparison.figure(compared(row, noisy), {"direct": run, "other": run}, law, say=said.append)
    titles = [ax.get_title() for ax in drawn.axes]
    assert titles == [
        "exact, ring",
        "exact, with noise 0.5",
        "direct, 8 of 8 modes\n1.00 x floor, NLL - H = 0.50",
        "other*, 8 of 8 modes\n1.00 x floor",
    ]
    assert len({(*ax.get_xlim(), *ax.get_ylim()) for ax in drawn.axes}) == 1
    colours = [ax.collections[0].get_facecolor()[0][:3] for ax in drawn.axes]
    expected = [to_rgba(c)[:3] for c in (plots.EXACT, plots.EXACT, plots.LEARNED, plots.LEARNED)]
    assert np.allclose(colours, expected)
    spread = [np.std(np.linalg.norm(ax.collections[0].get_offsets(), axis=1)) for ax in drawn.axes]
    assert spread[0] < 0.5 * spread[1]  # the noise is there
    assert said == ["samples of direct", "samples of other"]
