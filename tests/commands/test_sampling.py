"""Sampling a run: by its own sampler, by each other that it has what is needed for, and what is refused."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from refgen import runs, samplers
from refgen.backend import Stream
from refgen.cli import main
from refgen.commands import sampling
from refgen.commands.levels import SPACINGS as CHOICES
from refgen.commands.ways import WAYS
from refgen.distributions import named
from refgen.processes import SPACINGS
from refgen.samplers.probability_flow import METHODS
from tests import direct


def call(*args, status=0):
    result = CliRunner().invoke(main, [str(a) for a in args])
    assert result.exit_code == status, (result.output, result.stderr, result.exception)
    return result


def complaint(*args):
    result = call(*args, status=2)
    assert result.stderr.startswith("refgen: error: ") and result.stderr.count("\n") == 1, result.stderr
    return result.stderr


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Runs of both models of many levels, hardly trained, on one Gaussian."""
    folder = tmp_path_factory.mktemp("runs")
    few = ("--data", "gaussian", "--steps", 3, "--batch", 8, "--hidden", 8)
    call("train", "ddpm", "--out", folder / "ddpm", "--t", 100, *few)
    call("train", "ncsn", "--out", folder / "ncsn", "--t", 10, *few)
    call("train", "score_sde", "--out", folder / "score_sde", "--t", 10, *few)
    return folder


def drawn(folder, *args, n=300):
    out = folder / "out.npy"
    result = call("sample", folder, "--n", n, "--out", out, *args)
    points = np.load(out)
    assert points.shape == (n, 2) and points.dtype == np.float32 and np.all(np.isfinite(points))
    return points, result


EXACT = [
    ("ddpm", "ancestral"),
    ("ddpm", "annealed_langevin"),
    ("ddpm", "langevin", "--steps", 100, "--std", 0.5),
    ("ddpm", "underdamped", "--steps", 60, "--std", 0.5),
    ("ddpm", "underdamped", "--steps", 60, "--level", 20),
    ("ddpm", "mala", "--steps", 100, "--std", 0.5),
    ("ncsn", "annealed_langevin"),
    ("ncsn", "langevin", "--steps", 100, "--level", 6),
    ("ncsn", "mala", "--steps", 100, "--std", 0.5),
    ("ddpm", "smc", "--steps", 30, "--std", 0.5),
    ("ncsn", "smc", "--steps", 20, "--level", 6, "--per-level", 2),
    ("ddpm", "ddim", "--eta", 1),
    ("ddpm", "dpm_solver", "--order", 3),
    ("ncsn", "dpm_multistep", "--steps", 15),
    ("ddpm", "analytic", "--steps", 20),
    ("ncsn", "euler_maruyama", "--steps", 60, "--spacing", "log_snr"),
    ("ddpm", "predictor_corrector", "--snr", 0.2),
    ("ncsn", "predictor_corrector", "--step", 0.05, "--steps", 40, "--spacing", "edm"),
    ("ddpm", "probability_flow", "--method", "rk45", "--steps", 5),
    ("score_sde", "probability_flow", "--method", "rk4", "--steps", 20),
    ("score_sde", "edm", "--churn", 10, "--steps", 40),
]


@pytest.mark.parametrize(("model", "sampler", "args"), [(m, s, a) for m, s, *a in EXACT])
def test_exact_samples_by_every_sampler_are_where_the_data_are(trained, model, sampler, args):
    points, _ = drawn(trained / model, "--sampler", sampler, "--exact", *args, n=1000)
    law = named("gaussian")
    width = np.sqrt(np.diag(law.cov))
    assert np.all(np.abs(points.mean(0) - law.mean) < 0.15 * width)
    # with the noise of a level taken off by the mean, points lie closer together than the data
    shrunk = 0.6 if set(args) & {"--std", "--level"} else 0.85
    assert np.all(points.std(0) < 1.15 * width) and np.all(points.std(0) > shrunk * width)


CALLS = {"annealed_langevin": 7, "dpm_solver": 9, "analytic": 10, "predictor_corrector": 9}
CALLS |= {"probability_flow": 9, "edm": 9, "langevin": 6, "underdamped": 6}


@pytest.mark.parametrize("sampler", [name for name in samplers.NAMES if name not in ("mala", "smc")])
@pytest.mark.parametrize("model", ["ddpm", "score_sde"])
def test_a_network_is_enough_for_all_that_need_a_score(trained, model, sampler):
    if sampler == "ancestral" and model != "ddpm":
        return
    few = ("--steps", 5) if sampler != "annealed_langevin" else ("--steps", 3, "--per-level", 2)
    first, result = drawn(trained / model, "--sampler", sampler, *few)
    again, _ = drawn(trained / model, "--sampler", sampler, *few)
    other, _ = drawn(trained / model, "--sampler", sampler, *few, "--seed", 1)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    calls = CALLS.get(sampler, 5)
    assert f"sample 300 points, calls  {calls}/{calls}" in result.stderr
    own = sampler == "ancestral"
    said = f"300 points by {'the model' if own else sampler}"
    assert said in result.stdout and f"; {calls} calls of the denoiser" in result.stdout


def test_the_model_s_own_sampler_is_the_default(trained):
    for model in ("ddpm", "ncsn"):
        default, _ = drawn(trained / model, "--steps", 3)
        run, rng = runs.load(trained / model), Stream(0, "sample").spawn("from 0")
        np.testing.assert_array_equal(default, run.to_data(run.model.sample(run.params, 300, rng, 3)))
    same, _ = drawn(trained / "ddpm", "--steps", 3, "--sampler", "ancestral")
    np.testing.assert_array_equal(same, drawn(trained / "ddpm", "--steps", 3)[0])


def test_pieces_of_many_points_are_drawn_anew(trained, monkeypatch):
    monkeypatch.setattr(sampling, "SAMPLE_CHUNK", 100)
    points, result = drawn(trained / "ddpm", "--sampler", "mala", "--exact", "--steps", 4, n=250)
    assert len(np.unique(points, axis=0)) == 250
    assert f"calls  {3 * (5 + 1)}/{3 * (5 + 1)}" in result.stderr
    assert result.stdout.splitlines()[-1] == "accepted 100% of the proposals"


def test_chains_that_do_not_move_are_not_passed_off_as_samples(trained):
    _, result = drawn(trained / "ddpm", "--sampler", "mala", "--exact", "--steps", 4, "--step", 1e6)
    assert "accepted 0% of the proposals" in result.stdout
    assert "warning: nearly every proposal was refused" in result.stderr


def test_options_reach_the_sampler(trained):
    args = ("--sampler", "mala", "--exact", "--steps", 20, "--std", 0.5)
    shares = [drawn(trained / "ddpm", *args, "--step", step)[1].stdout.split()[-4] for step in (0.01, 1, 8)]
    low, middle, high = (int(share.rstrip("%")) for share in shares)
    assert low == 100 > middle > 50 > high
    loose, _ = drawn(trained / "ddpm", "--sampler", "langevin", "--exact", "--steps", 1, "--std", 0.1)
    held, _ = drawn(trained / "ddpm", "--sampler", "langevin", "--exact", "--steps", 1, "--level", 100)
    assert held.std(0)[0] < 0.1 * loose.std(0)[0]  # at the noisiest level x_0 is its mean
    one, _ = drawn(trained / "ncsn", "--sampler", "annealed_langevin", "--exact", "--per-level", 1)
    many, _ = drawn(trained / "ncsn", "--sampler", "annealed_langevin", "--exact", "--per-level", 200)
    true = np.sqrt(np.diag(named("gaussian").cov))
    assert np.all(abs(many.std(0) / true - 1) < 0.12) and np.any(abs(one.std(0) / true - 1) > 0.2)


@pytest.mark.parametrize(
    ("model", "args", "says"),
    [
        (
            "ddpm",
            ("--sampler", "mala"),
            "mala needs a score and a density, which this ddpm has not; ancestral, ddim, dpm_",
        ),
        ("ncsn", ("--sampler", "mala"), "langevin or underdamped would do, and mala itself with --exact"),
        ("ncsn", ("--sampler", "ddim", "--steps", 11), "--steps is 11; the model has 10 levels"),
        ("ddpm", ("--sampler", "ancestral", "--steps", 101), "--steps is 101; the model has 100 levels"),
        ("score_sde", ("--sampler", "ancestral"), "needs the chain of a ddpm, which this score_sde has not"),
        ("ddpm", ("--eta", 1), "--eta is for ddim, and none is named: add --sampler"),
        (
            "ddpm",
            ("--sampler", "ddim", "--order", 2),
            "--order is for dpm_solver, dpm_multistep, not for ddim",
        ),
        ("ddpm", ("--sampler", "smc", "--spacing", "edm", "--exact"), "--spacing is for ddim, dpm_solver,"),
        ("ncsn", ("--sampler", "smc"), "smc needs a score and a density, which this ncsn has not; ddim, "),
        ("ncsn", ("--sampler", "ancestral"), "ancestral needs the chain of a ddpm, which this ncsn has not"),
        ("ddpm", ("--sampler", "langvin"), "no sampler 'langvin'; did you mean langevin"),
        (
            "ddpm",
            ("--step", 0.1),
            "--step is for annealed_langevin, predictor_corrector, langevin, underdamped, mala, smc, and",
        ),
        (
            "ddpm",
            ("--sampler", "ancestral", "--std", 0.1),
            "--std is for langevin, underdamped, mala, smc, not for",
        ),
        (
            "ddpm",
            ("--sampler", "langevin", "--per-level", 3),
            "--per-level is for annealed_langevin, predictor_corrector, smc, not for",
        ),
        ("ddpm", ("--sampler", "langevin", "--level", 2, "--std", 1), "--level and --std both name a level"),
        ("ddpm", ("--sampler", "langevin", "--level", 101), "--level is 101; the model has levels 1 to 100"),
        ("ddpm", ("--sampler", "langevin", "--std", 1e-5), "--std is 1e-05; the model knows noise of 0.0"),
        ("ddpm", ("--sampler", "langevin", "--step", 2), "step is 2.0; it must lie in (0, 2)"),
        ("ddpm", ("--sampler", "langevin", "--step", 0), "0.0 is not in the range"),
        (
            "ddpm",
            ("--sampler", "annealed_langevin", "--steps", 1),
            "--steps is 1; annealed_langevin needs two",
        ),
        ("ncsn", ("--sampler", "annealed_langevin", "--steps", 11), "--steps is 11; the model has 10 levels"),
        ("ncsn", ("--steps", 11), "--steps is 11; the model has 10 levels"),
    ],
)
def test_what_makes_no_sense_is_one_line(trained, model, args, says):
    assert says in complaint("sample", trained / model, *args)


def test_a_model_without_a_denoiser_samples_by_itself(tmp_path, monkeypatch):
    direct.register(monkeypatch)
    law = named("gaussian")
    data, shift, scale = law.standardised()
    about = {"data_name": "gaussian", "shift": shift, "scale": scale}
    for _ in runs.train(tmp_path / "run", direct.Direct(), data, steps=3, batch=8, **about):
        pass
    points, _ = drawn(tmp_path / "run", n=2000)
    assert np.all(abs(points.mean(0) - law.mean) < 0.2 * np.sqrt(np.diag(law.cov)))
    for args, says in [
        (
            ("--sampler", "langevin"),
            "--sampler langevin needs a score at one level; this direct has its own only",
        ),
        (("--sampler", "mala", "--exact"), "this direct has its own only, and no score"),
        (("--exact",), "--exact puts the exact denoiser in the network's place; this direct asks for none"),
        (("--steps", 5), "--steps is 5; this direct has no levels of noise and no chain"),
    ]:
        assert says in complaint("sample", tmp_path / "run", *args)
    report = json.loads(call("evaluate", tmp_path / "run", "--n", 500, "--json").stdout)
    assert "score" not in report and report["nll"]["kind"] == "exact"


def test_every_sampler_says_what_it_needs_and_what_options_it_has():
    assert set(WAYS) == set(samplers.NAMES) and sampling.METHODS == METHODS
    assert set(CHOICES) == {"model", *SPACINGS}
    known = {param.name for param in sampling.sample.params}
    assert {option for way in WAYS.values() for option in way.options} < known
    listed = json.loads(call("samplers", "--json").stdout)
    assert [row["name"] for row in listed] == list(samplers.NAMES)
    assert all(row["needs"] == samplers.needs(row["name"]) for row in listed)
    assert "needs a score and a density" in call("samplers").stdout
    assert max(map(len, call("samplers").stdout.splitlines())) <= 100
