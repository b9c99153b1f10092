"""evaluate: with the model's own sampler, with another as `sample` would draw, and what is refused."""

import json

import pytest

from refgen.commands.evaluating import report_lines
from tests.commands.test_sampling import call, complaint


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of a ddpm, hardly trained, on two Gaussians."""
    run = tmp_path_factory.mktemp("runs") / "ddpm"
    few = ("--steps", 3, "--batch", 8, "--hidden", 8)
    call("train", "ddpm", "--data", "two_gaussians", "--out", run, "--t", 60, *few)
    return run


def report(folder, *args):
    return json.loads(call("evaluate", folder, "--n", 1500, "--json", *args).stdout)


def test_another_sampler_takes_the_place_of_the_models_own_in_samples_and_control(folder):
    own, other = report(folder), report(folder, "--sampler", "dpm_multistep", "--steps", 15)
    assert own["sampler"] == "the model's own sampler" and own["calls"] == 60
    assert other["sampler"] == "dpm_multistep, 15 levels even in log-SNR, order 2" and other["calls"] == 15
    assert own["floor"] == other["floor"] and own["nll"] == other["nll"] and own["score"] == other["score"]
    assert own["samples"] != other["samples"] and other["control"]["times_floor"] < 1.5
    few = report(folder, "--sampler", "ddim", "--steps", 2)
    assert few["control"]["times_floor"] > 3  # two steps are too few, with an exact denoiser too
    fewer = report(folder, "--steps", 7, "--no-control")
    assert fewer["calls"] == 7 and fewer["sampler"] == "the model's own sampler"


def test_what_sample_refuses_evaluate_refuses(folder):
    for args, says in [
        (("--sampler", "mala"), "mala needs a score and a density, which this ddpm has not"),
        (("--sampler", "ddim", "--order", 2), "--order is for dpm_solver, dpm_multistep, not for ddim"),
        (("--steps", 61), "--steps is 61; the model has 60 levels"),
    ]:
        assert says in complaint("evaluate", folder, *args)
        assert says in complaint("sample", folder, *args)


def test_a_report_says_how_it_was_sampled_and_what_the_bounds_are(folder):
    found = report(folder, "--sampler", "edm", "--steps", 4, "--churn", 10)
    text = "\n".join(report_lines(found))
    assert "sampled by edm, 4 levels spaced as in EDM, churn 10" in text
    assert "sampling: 7 evaluations of the network a point" in text
    assert "bound: the most that is good" in text
    assert "plus what the bound loses" in text and max(map(len, text.splitlines())) <= 100


def test_a_model_of_one_level_has_no_time_in_its_table_of_scores(folder):
    found = report(folder)
    header = next(line for line in report_lines(found) if "score error" in line)
    assert header.split()[:2] == ["t", "std"]
    one = report_lines(found | {"score": [{"t": 1, "std": 0.05, "relative_error": 0.25}]})
    assert one[-2].split()[:2] == ["std", "score"] and one[-1].split() == ["0.050", "0.2500"]
