"""The pictures of a run are drawn from the run, by name, and only for two dimensions."""

import pytest

from refgen import distributions, runs
from refgen.experiments import gallery
from refgen.models import named
from refgen.plots import style
from tests import direct


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch):
    monkeypatch.setattr(gallery, "FRAMES", 4)
    monkeypatch.setattr(gallery, "POINTS", 500)
    monkeypatch.setattr(style, "_DPI", 40)


def a_run(folder, law, T=12, model=None):
    model = model or named("ddpm", dim=law.dim, T=T, hidden=16)
    for _ in runs.train(folder, model, law, steps=20, batch=32):
        pass
    return runs.load(folder)


def test_every_picture_and_the_animation(tmp_path):
    law = distributions.named("ring").standardised()[0]
    run = a_run(tmp_path / "run", law)
    names = gallery.names_of(run.model)
    assert names == ["overview", "forward", "score", "samples", "reverse", "loss"]
    written = list(gallery.pictures(run, law, names, tmp_path / "out"))
    assert [path.stem for path in written] == names
    again = list(gallery.pictures(run, law, ["overview"], tmp_path / "again"))
    assert again[0].read_bytes() == written[0].read_bytes()  # same seed, same picture
    assert gallery.animate(run, law, tmp_path / "a.gif").stat().st_size > 1000


def test_three_dimensions_have_no_picture(tmp_path):
    law = distributions.Gaussian([0.0] * 3, [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]])
    run = a_run(tmp_path / "run", law)
    with pytest.raises(ValueError, match="dimension 3; pictures but loss need 2"):
        list(gallery.pictures(run, law, ["overview"], tmp_path))
    assert len(list(gallery.pictures(run, None, ["loss"], tmp_path))) == 1
    with pytest.raises(ValueError, match="dimension 3"):
        gallery.animate(run, law, tmp_path / "a.gif")


def test_one_step_has_pictures_too(tmp_path):
    law = distributions.named("gaussian").standardised()[0]
    run = a_run(tmp_path / "run", law, T=1)
    names = gallery.names_of(run.model)
    assert len(list(gallery.pictures(run, law, names, tmp_path / "out"))) == len(names)


@pytest.mark.parametrize(
    ("model", "more", "word"),
    [
        (named("score_net", hidden=16, chain=40, objective="denoising"), [], "steps"),
        (named("ebm", hidden=16, stages=6, objective="denoising"), ["energy"], "stages"),
    ],
)
def test_a_model_of_one_level_has_pictures_of_the_noisy_law(tmp_path, monkeypatch, model, more, word):
    law = distributions.named("moons").standardised()[0]
    run = a_run(tmp_path / "run", law, model=model)
    names = gallery.names_of(model)
    assert names == ["overview", "score", "samples", "reverse", *more, "loss"]
    given, reverse_process = [], gallery.plots.reverse_process

    def seen(*options):
        given.append(options)
        return reverse_process(*options)

    monkeypatch.setattr(gallery.plots, "reverse_process", seen)
    assert [path.stem for path in gallery.pictures(run, law, names, tmp_path / "out")] == names
    kept, shown, paths, label = given[0]
    assert shown[0] == model.chain and shown[-1] == 0 and label.format(t=7) == f"7 {word} to go"
    assert bool(paths) == (word == "steps")  # points that are drawn anew have no paths
    assert all(points.shape == (1000, 2) for points in kept.values())
    assert gallery.animate(run, law, tmp_path / "a.gif").stat().st_size > 1000
    with pytest.raises(
        ValueError, match=r"no picture 'forward' of .* one level of noise.*; there are overview"
    ):
        list(gallery.pictures(run, law, ["forward"], tmp_path))


def test_a_model_without_a_density_has_no_energy(tmp_path):
    law = distributions.named("ring").standardised()[0]
    with pytest.raises(
        ValueError, match="no picture 'energy' of ddpm, which has no density; there are overview"
    ):
        list(gallery.pictures(a_run(tmp_path / "run", law), law, ["energy"], tmp_path))


def test_a_model_without_a_denoiser_has_pictures_of_its_samples(tmp_path, monkeypatch):
    direct.register(monkeypatch)
    law = distributions.named("moons").standardised()[0]
    run = a_run(tmp_path / "run", law, model=direct.Direct())
    assert run.config["model"] == "direct" and gallery.names_of(run.model) == ["overview", "samples", "loss"]
    names = gallery.names_of(run.model)
    assert [path.stem for path in gallery.pictures(run, law, names, tmp_path / "out")] == names
    for name in ("score", "forward", "reverse", "energy"):
        says = (
            f"no picture '{name}' of direct, which has no score and no levels of noise; there are overview,"
        )
        with pytest.raises(ValueError, match=says):
            list(gallery.pictures(run, law, [name], tmp_path))
    with pytest.raises(ValueError, match="nothing to animate: a direct has no levels of noise, no chain"):
        gallery.animate(run, law, tmp_path / "a.gif")
