"""Pictures of points on their way from noise: a panel and a frame for each time, in the fixed colours."""

import numpy as np
import pytest
from PIL import Image

from refgen import distributions, plots
from refgen.backend import Stream

X = distributions.named("moons").standardised()[0].sample(Stream(0), 300)
NOISE = Stream(1).normal(300, 2)


@pytest.mark.parametrize(("paths", "panels"), [(12, 3), (0, 2)])
def test_the_reverse_process_has_a_panel_for_each_time_and_one_for_the_paths(paths, panels, tmp_path):
    figure = plots.reverse_process({100: NOISE, 50: X + NOISE, 0: X}, [100, 0], paths)
    assert len(figure.axes) == panels
    width, _ = Image.open(plots.save(figure, tmp_path / "picture.png")).size
    assert 700 <= width <= 1400  # legible at 900 pixels
    if paths:
        tracks = figure.axes[-1].collections[0].get_segments()
        np.testing.assert_allclose(tracks, np.stack([NOISE, X + NOISE, X], axis=1)[:paths])


def test_the_animation_has_a_frame_for_each_time(tmp_path):
    path = plots.reverse_animation({2: NOISE, 1: X + NOISE, 0: X}, tmp_path / "a.gif")
    with Image.open(path) as image:
        assert image.n_frames == 3
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int)
        assert pixels[0].min() >= 250  # white paper
        strong = pixels[np.ptp(pixels, axis=1) > 60]
        assert len(strong) > 50 and np.all(strong[:, 0] > strong[:, 2])  # orange points, no other colour
        image.seek(2)
        assert image.info["duration"] == 1500
