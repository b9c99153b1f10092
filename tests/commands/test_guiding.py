"""--label and --scale: a model trained with labels from the command line, sampled by class, and measured."""

import json

import numpy as np
import pytest

from refgen import runs, samplers
from refgen.commands.evaluating import report_lines
from refgen.distributions.labelled import labelled
from tests.commands.test_sampling import call, complaint

RING = labelled("ring")
FEW = ("--data", "ring", "--batch", 64, "--hidden", 32, "--layers", 2, "--features", 16, "--t", 100)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of the ring with its two halves, trained for a second."""
    run = tmp_path_factory.mktemp("runs") / "halves"
    result = call(
        "train", "conditional_ddpm", *FEW, "--steps", 800, "--lr", 5e-3, "--cool", 0.5, "--out", run
    )
    assert f"sample {run} --label 0 --scale 2" in result.stdout
    return run


def drawn(folder, *args, n=400):
    result = call("sample", folder, "--n", n, "--out", folder / "x.npy", *args)
    return np.load(folder / "x.npy"), result.stdout


def share_of(points, c):
    """The share of points whose nearest mode is of class c."""
    nearest = np.argmin(np.linalg.norm(points[:, None] - RING.law.means, axis=-1), axis=1)
    return np.mean(RING.classes[nearest] == c)


def test_a_run_knows_the_classes_of_its_data_and_resumes(folder, tmp_path):
    assert runs.load(folder).model.classes == 2
    call("train", "conditional_ddpm", *FEW, "--steps", 3, "--out", tmp_path / "whole")
    call("train", "conditional_ddpm", *FEW, "--steps", 2, "--out", tmp_path / "run")
    call("train", "conditional_ddpm", "--resume", "--steps", 3, "--out", tmp_path / "run")
    whole, again = (runs.load(tmp_path / name) for name in ("whole", "run"))
    np.testing.assert_array_equal(whole.params, again.params)
    call("train", "conditional_ddpm", *FEW, "--data", "grid", "--steps", 1, "--out", tmp_path / "grid")
    assert runs.load(tmp_path / "grid").model.classes == 5


def test_a_label_gives_its_class_and_a_larger_scale_more_of_it(folder):
    free, said = drawn(folder)
    assert "class" not in said and 0.3 < share_of(free, 0) < 0.7
    for c in (0, 1):
        points, said = drawn(folder, "--label", c)
        assert said.endswith(f"; class {c} at scale 1\n") and share_of(points, c) > 0.9
        same, _ = drawn(folder, "--label", c, "--scale", 1)
        np.testing.assert_array_equal(points, same)
        zero, said = drawn(folder, "--label", c, "--scale", 0)
        assert "class" not in said
        np.testing.assert_array_equal(zero, free)  # all data, to the bit
        more, _ = drawn(folder, "--label", c, "--scale", 4)
        assert np.var(more, axis=0).sum() < 0.9 * np.var(points, axis=0).sum()


@pytest.mark.parametrize("sampler", samplers.NAMES)
def test_every_sampler_samples_the_class(folder, sampler):
    """The exact guided denoiser at scale 2, whose samples are of the class by every sampler."""
    few = {"annealed_langevin": ("--steps", 12, "--per-level", 8), "smc": ("--steps", 30, "--std", 0.3)}
    walks = ("langevin", "underdamped", "mala")  # which stay in the modes they started at
    args = few.get(sampler, ("--steps", 120, "--std", 0.5) if sampler in walks else ("--steps", 30))
    points, said = drawn(folder, "--sampler", sampler, "--label", 1, "--scale", 2, "--exact", *args, n=200)
    assert said.splitlines()[0].endswith("; class 1 at scale 2")
    assert share_of(points, 1) > 0.97
    if sampler not in ("mala", "smc"):  # which need a density
        points, _ = drawn(folder, "--sampler", sampler, "--label", 1, "--scale", 2, *args, n=200)
        assert share_of(points, 1) > 0.9


def test_an_evaluation_of_a_class_is_against_its_law(folder):
    few = ("--n", 500, "--json", "--sampler", "ddim", "--steps", 25)
    of_all, of_class = (
        json.loads(call("evaluate", folder, *few, *args).stdout) for args in ([], ["--label", 1])
    )
    assert "label" not in of_all and len(of_all["modes"]["weights"]) == 8
    assert of_class["label"] == 1 and len(of_class["modes"]["weights"]) == 4
    entropy = of_all["nll"]["entropy"] - of_class["nll"]["entropy"]
    assert entropy == pytest.approx(np.log(2), abs=0.05)  # the classes hardly overlap
    assert of_class["control"]["times_floor"] < 1.5
    assert of_class["nll"]["gap"] < of_all["nll"]["gap"]  # not told, it would lose log 2 more
    assert of_class["score"][1]["relative_error"] < 0.1 and of_class["score"][1]["std"] > 0.9
    assert report_lines(of_class)[0] == "the truth is class 1 of the data"
    assert not any("class" in line for line in report_lines(of_all))


def test_an_exact_denoiser_at_a_scale_between_is_guided(folder):
    """It differs from that of the class, which is another law."""
    few = ("--label", 0, "--exact", "--sampler", "ddim", "--steps", 20)
    one, _ = drawn(folder, *few)
    more, _ = drawn(folder, *few, "--scale", 3)
    assert np.var(more, axis=0).sum() < 0.9 * np.var(one, axis=0).sum()


def test_a_variance_from_data_is_that_of_the_class(folder, tmp_path):
    run = tmp_path / "optimal"
    call("train", "conditional_ddpm", *FEW, "--steps", 2, "--variance", "optimal", "--out", run)
    points, _ = drawn(run, "--label", 1, "--exact", "--steps", 20)
    assert share_of(points, 1) > 0.97


@pytest.mark.parametrize(
    ("command", "args", "says"),
    [
        ("sample", ["--scale", 2], "--scale is 2, of guidance to a class; name it by --label"),
        ("sample", ["--label", 2], "--label is 2; the classes of this conditional_ddpm are 0 to 1"),
        ("sample", ["--label", 2, "--scale", 0], "--label is 2; the classes"),
        ("sample", ["--label", -1], "-1 is not in the range"),
        ("sample", ["--label", 0, "--scale", "nan"], "--scale is nan; it must be a finite number"),
        ("sample", ["--label", 0, "--sampler", "mala"], "would do, and mala itself with --exact"),
        (
            "evaluate",
            ["--label", 0, "--scale", 2],
            "--scale is 2; exact samples to measure by there are at 0",
        ),
    ],
)
def test_what_makes_no_sense_is_one_line(folder, command, args, says):
    assert says in complaint(command, folder, *args)


def test_labels_need_data_with_classes_and_a_model_that_was_trained_with_them(tmp_path):
    train, file = ("train", "conditional_ddpm", "--out", tmp_path / "run"), tmp_path / "p.csv"
    assert "gaussian has no classes; there are two_gaussians, ring," in complaint(
        *train, "--data", "gaussian"
    )
    file.write_text("1,2\n3,5\n2,7\n")
    assert f"{file} is a file, which has no classes" in complaint(*train, "--data", file)
    assert not (tmp_path / "run").exists()
    call("train", "ddpm", "--data", "ring", "--steps", 1, "--t", 5, "--hidden", 8, "--out", tmp_path / "run")
    said = "--label is 0; this ddpm was trained without labels"
    assert said in complaint("sample", tmp_path / "run", "--label", 0)
    assert said in complaint("evaluate", tmp_path / "run", "--label", 0)
