r"""The length of a corrector's step, which follows the size of the score.                        [SDE-7]"""

from __future__ import annotations

import math

import autograd.numpy as np

from refgen.formulas.elementary import Array, require_last_axis

__all__ = ["snr_step"]


def snr_step(score: Array, z: Array, snr: Array, largest: Array = math.inf) -> Array:
    r"""The Langevin step at which drift and noise have a given ratio of lengths.                  [SDE-7]

    .. math:: c=2\Big(r\,\frac{\overline{\lVert z\rVert}}{\overline{\lVert s\rVert}}\Big)^2
              \quad\Rightarrow\quad
              \frac{c\,\overline{\lVert s\rVert}}{\sqrt{2c}\;\overline{\lVert z\rVert}}=r

    with lengths averaged over the points, all of which take the same step. score, z: (n, d), n >= 1, z
    standard normal. snr: r > 0. largest: the step is never longer; where it is finite, a score of zero does
    no harm. Returns an array without axes. Source: Song et al. 2021, Algorithms 4 and 5 (there the variance-
    preserving one has a factor alpha_i, close to 1).
    """
    require_last_axis(score=score, z=z)
    of_score, of_noise = (np.mean(np.sqrt(np.sum(a**2, axis=-1))) for a in (score, z))
    aim = 2 * (snr * of_noise) ** 2
    return aim / np.maximum(of_score**2, aim / largest)
