"""Pictures: drawn where they should be, of what they should be, in the fixed colours and limits."""

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from PIL import Image

from refgen import distributions, plots
from refgen.backend import Stream
from refgen.denoisers import ExactDenoiser
from refgen.schedules import linear

LAW = distributions.named("moons").standardised()[0]
X = LAW.sample(Stream(0), 300)
NOISE = Stream(1).normal(300, 2)


def figures():
    levels, exact = linear(1000), ExactDenoiser(LAW)
    yield "forward", plots.forward_process(X, NOISE, levels, [0, 100, 1000]), 3
    yield "score", plots.score_fields(exact, exact, LAW, levels, {50: 0.1, 500: 0.0}), 4
    yield "samples", plots.samples(X, X), 2
    yield "comparison", plots.comparison({"exact": X}, {"a\nb": X, "c": 2 * X, "d": X}), 4
    yield "comparison in rows", plots.comparison({"exact": X}, {"a\nb": X, "c": 2 * X, "d": X, "e": X}), 6
    yield "overview", plots.overview(X, LAW, X, "t"), 3
    yield "overview of points", plots.overview(X, None, X, "t"), 2
    log_prob = LAW.log_prob(plots.grid(3.0, 40)[1])
    yield "energy", plots.log_densities(log_prob, log_prob - 1, 3.0), 2
    yield "score of one level", plots.score_fields(exact, exact, LAW, levels, {50: 0.1}), 2
    yield "loss", plots.loss_curve(np.arange(50), np.linspace(1, 0, 50)), 1
    yield "cloud", plots.cloud(X), 1
    yield "data sets", plots.data_sets({"a": X, "b": X, "c": X, "d": X, "e": X, "f": X}), 10


@pytest.mark.parametrize(
    ("name", "figure", "panels"), list(figures()), ids=lambda v: v if isinstance(v, str) else ""
)
def test_every_picture_is_written(name, figure, panels, tmp_path):
    assert len(figure.axes) == panels
    path = plots.save(figure, tmp_path / "deep" / "picture.png")
    image = np.asarray(Image.open(path).convert("RGB"))
    assert 700 <= image.shape[1] <= 1400  # legible at 900 pixels
    assert image[0, 0].tolist() == [255, 255, 255]
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 20, "nothing is drawn"
    assert [p.name for p in path.parent.iterdir()] == ["picture.png"], "a temporary file is left"


def test_panels_of_a_row_have_the_same_limits_and_equal_axes():
    for name, figure, _ in figures():
        if name not in ("loss", "cloud", "data sets", "comparison in rows"):  # there an empty place is left
            assert len({(*ax.get_xlim(), *ax.get_ylim()) for ax in figure.axes}) == 1, name
            assert all(ax.get_aspect() == 1 for ax in figure.axes), name


def test_exact_is_blue_and_learned_is_orange():
    exact, learned = plots.samples(X, X).axes
    assert np.allclose(exact.collections[0].get_facecolor()[0][:3], to_rgba(plots.EXACT)[:3])
    assert np.allclose(learned.collections[0].get_facecolor()[0][:3], to_rgba(plots.LEARNED)[:3])


def test_arrows_of_compared_panels_have_one_scale():
    class Half(ExactDenoiser):
        def score(self, x, signal, std):
            return 0.5 * super().score(x, signal, std)

    above, below = plots.score_fields(Half(LAW), ExactDenoiser(LAW), LAW, linear(1000), {500: 0.5}).axes
    lengths = [np.hypot(ax.collections[0].U, ax.collections[0].V) for ax in (above, below)]
    assert np.allclose(lengths[1], np.sqrt(0.5) * lengths[0])


def test_the_longest_arrows_are_cut_and_stay_in_their_direction():
    class Long(ExactDenoiser):
        def score(self, x, signal, std):
            return 50 * super().score(x, signal, std)

    above, below = plots.score_fields(Long(LAW), ExactDenoiser(LAW), LAW, linear(1000), {500: 0.5}).axes
    (u, v), (p, q) = [(ax.collections[0].U, ax.collections[0].V) for ax in (above, below)]
    assert np.hypot(p, q).max() == pytest.approx(np.sqrt(2)) and np.allclose(u * q, v * p)


def test_log_densities_that_are_one_nat_apart_are_so_in_the_colours():
    log_prob = LAW.log_prob(plots.grid(3.0, 40)[1])
    exact, learned = (ax.images[0] for ax in plots.log_densities(log_prob, log_prob - 1, 3.0, depth=9.0).axes)
    assert exact.get_clim() == learned.get_clim() == (log_prob.max() - 9, log_prob.max())
    inside = log_prob.reshape(40, 40) > log_prob.max() - 8
    assert np.allclose((exact.get_array() - learned.get_array())[inside], 1)


def test_a_loss_says_what_it_is_in_lines_that_fit():
    ax = plots.loss_curve(np.arange(50), np.linspace(1, 0, 50), note="words " * 40).axes[0]
    first, *note = ax.get_xlabel().splitlines()
    assert first == "training step" and " ".join(note).split() == ["words"] * 40
    assert max(map(len, note)) <= 78
    assert plots.loss_curve(np.arange(50), np.linspace(1, 0, 50)).axes[0].get_xlabel() == "training step"


def test_limits_hold_the_points():
    assert plots.limit_of(X) >= 2.6
    assert np.mean(np.abs(10 * X) < plots.limit_of(10 * X)) > 0.999


def test_the_density_map_darkens_evenly():
    grey = plots.DENSITY(np.linspace(0, 1, 50))[:, :3] @ [0.2126, 0.7152, 0.0722]
    steps = np.diff(grey)
    assert grey[0] == pytest.approx(1) and np.all(steps < 0) and steps.min() > 1.6 * steps.max()


def test_a_picture_needs_two_dimensions():
    with pytest.raises(ValueError, match="dimension 3"):
        plots.cloud(np.zeros((5, 3)))
