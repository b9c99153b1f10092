"""The pictures of a run are drawn from the run, by name, and only for two dimensions."""

import pytest

from refgen import distributions, runs
from refgen.experiments import gallery
from refgen.models import named


def a_run(folder, law, T=30):
    for _ in runs.train(folder, named("ddpm", dim=law.dim, T=T, hidden=16), law, steps=120, batch=32):
        pass
    return runs.load(folder)


def test_every_picture_and_the_animation(tmp_path):
    law = distributions.named("ring").standardised()[0]
    run = a_run(tmp_path / "run", law)
    written = list(gallery.pictures(run, law, list(gallery.NAMES), tmp_path / "out"))
    assert [path.stem for path in written] == list(gallery.NAMES)
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
    assert len(list(gallery.pictures(run, law, list(gallery.NAMES), tmp_path / "out"))) == len(gallery.NAMES)
