"""The parts of pictures: where things are put, and in what scale."""

import numpy as np
import pytest

from refgen import plots
from refgen.backend import Stream


def test_panels_are_square_and_fill_the_width():
    figure, axes = plots.panels(2, 3, width=9.0)
    assert axes.shape == (2, 3)
    width, height = figure.get_size_inches()
    for ax in axes.flat:
        place = ax.get_position()
        assert place.width * width == pytest.approx(place.height * height)
    assert axes[0, 2].get_position().x1 * width == pytest.approx(9.0 - 0.07)
    assert axes[0, 0].get_position().y0 > axes[1, 0].get_position().y1


def test_the_grid_runs_row_by_row_from_the_lower_left():
    axis, places = plots.grid(2.0, 5)
    np.testing.assert_array_equal(axis, [-2, -1, 0, 1, 2])
    assert places.shape == (25, 2)
    np.testing.assert_array_equal(places[:6], [[-2, -2], [-1, -2], [0, -2], [1, -2], [2, -2], [-2, -1]])


def test_an_image_takes_values_in_the_order_of_the_grid():
    _, axes = plots.panels(1, 1)
    _, places = plots.grid(3.0, 4)
    shown = plots.image(axes[0, 0], places[:, 1], 3.0)
    assert shown.get_array().shape == (4, 4)
    assert np.all(np.diff(shown.get_array()[:, 0]) > 0)  # upwards
    assert shown.origin == "lower" and tuple(shown.get_extent()) == (-3, 3, -3, 3)


def test_arrows_grow_like_the_root_and_one_of_the_longest_length_has_length_one():
    _, axes = plots.panels(1, 1)
    field = np.array([[4.0, 0.0], [0.0, -1.0], [0.0, 0.0]])
    plots.arrows(axes[0, 0], np.zeros((3, 2)), field, plots.EXACT, longest=4.0)
    drawn = axes[0, 0].collections[0]
    np.testing.assert_allclose(np.hypot(drawn.U, drawn.V), [1.0, 0.5, 0.0], atol=1e-9)
    assert drawn.U[0] > 0 and drawn.V[1] < 0


def test_a_chart_has_no_upper_and_right_line():
    figure, axes = plots.chart(2)
    assert len(figure.axes) == len(axes) == 2
    assert not any(ax.spines[side].get_visible() for ax in axes for side in ("top", "right"))


def test_rows_of_a_chart_share_its_width_and_height():
    figure, axes = plots.chart(rows=(2, 3), width=6.0, height=6.0, heights=(1.0, 2.0))
    spans = [ax.get_subplotspec() for ax in axes]
    assert [(one.rowspan.start, one.colspan.start, one.colspan.stop) for one in spans] == [
        (0, 0, 3), (0, 3, 6), (1, 0, 2), (1, 2, 4), (1, 4, 6)
    ]  # fmt: skip
    figure.canvas.draw()
    upper, lower = axes[0].get_position(), axes[-1].get_position()
    assert upper.y0 > lower.y1 and lower.height > 1.8 * upper.height and upper.width > 1.4 * lower.width


def test_the_whole_is_drawn_in_the_house_s_letters(tmp_path):
    figure, (ax,) = plots.chart()
    ax.plot(*Stream(0).normal(2, 5))
    assert plots.save(figure, tmp_path / "a" / "b.png").stat().st_size > 1000
