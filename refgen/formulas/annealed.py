r"""Scores at many levels of noise: the variance-exploding process and annealed Langevin dynamics.   [NCSN]

A level is x_0 + std z: the signal is 1 throughout. `std` falls in the order of sampling, from the largest to
the smallest, and grows from 0 in the order of noising. How a step of the chain is made says `langevin`.
"""

from __future__ import annotations

from collections.abc import Callable

import autograd.numpy as np

from refgen.formulas.elementary import Array, exp, log, require_last_axis, sqrt
from refgen.formulas.gaussian import kl_variances, log_prob_isotropic
from refgen.formulas.langevin import ula_moments

__all__ = [
    "annealed_moments",
    "annealed_step",
    "geometric_std",
    "level_error",
    "level_weight",
    "levels_fall",
    "multi_level_floor",
    "multi_level_loss",
    "restores_weights",
    "reverse_gap",
    "ve_marginal_var",
    "ve_reverse_kernel",
    "ve_step",
    "ve_step_log_prob",
    "ve_step_var",
]


def geometric_std(fraction: Array, largest: Array, smallest: Array) -> Array:
    r"""Standard deviations of levels at a constant ratio.                            [NCSN-1]

    .. math:: \sigma=\sigma_{\max}^{1-f}\,\sigma_{\min}^{f},\qquad f_l=\frac{l-1}{L-1},\ l=1..L

    falls from the largest to the smallest as the fraction goes from 0 to 1. fraction: f, in [0, 1].
    largest, smallest: > 0. Broadcastable. Source: Song & Ermon 2019, section 4.1.
    """
    return exp((1 - fraction) * log(largest) + fraction * log(smallest))


def levels_fall(std: Array) -> Array:
    r"""Whether levels stand in the order of sampling: :math:`\sigma_1>\dots>\sigma_L>0`.  [NCSN-1]

    std: (..., L). Returns booleans (...). Where they are numbered in the order of noising, sampling goes from
    the last to the first. Source: Isachenko, 'Noise conditioned score network'.
    """
    return np.all(std[..., :-1] > std[..., 1:], axis=-1) & (std[..., -1] > 0)


def ve_step_var(std_t: Array, std_s: Array) -> Array:
    r"""Variance that the step from level s to the noisier level t adds.               [NCSN-2]

    .. math:: \sigma_i^2-\sigma_{i-1}^2=(\sigma_i-\sigma_{i-1})(\sigma_i+\sigma_{i-1})

    std_t >= std_s >= 0: broadcastable. The product keeps the digits of close levels.
    """
    return (std_t - std_s) * (std_t + std_s)


def ve_step(x_s: Array, z: Array, std_t: Array, std_s: Array) -> Array:
    r"""One step of the variance-exploding process.                                    [NCSN-2]

    .. math:: x_i=x_{i-1}+\sqrt{\sigma_i^2-\sigma_{i-1}^2}\;z_{i-1}

    x_s, z: (..., d), z standard normal. std_t >= std_s >= 0: broadcastable, 0 for clean data.
    Source: SJTU tutorial, 'Score-based Diffusion Models'; Song et al. 2021, section 3.4.
    """
    require_last_axis(x_s=x_s, z=z)
    return x_s + sqrt(ve_step_var(std_t, std_s)) * z


def ve_step_log_prob(x_t: Array, x_s: Array, std_t: Array, std_s: Array) -> Array:
    r"""Log-density of that step.                                                      [NCSN-2]

    .. math:: p(x_i\mid x_{i-1})=\mathcal N\big(x_i;\ x_{i-1},\ (\sigma_i^2-\sigma_{i-1}^2)I\big)

    x_t, x_s: (..., d). std_t > std_s >= 0: numbers, or (..., 1). Returns (...), in nats.
    Source: SJTU tutorial, 'Score-based Diffusion Models', mended.
    """
    return log_prob_isotropic(x_t, x_s, ve_step_var(std_t, std_s))


def ve_marginal_var(std: Array, std_0: Array) -> Array:
    r"""Variance of x_i given x_0 after all steps from the level std_0.                [NCSN-2]

    .. math:: \mathrm{Var}(x_i\mid x_0)=\sum_{j=1}^i(\sigma_j^2-\sigma_{j-1}^2)=\sigma_i^2-\sigma_0^2

    which is :math:`\sigma_i^2` only where the levels begin at :math:`\sigma_0=0`. std: >= std_0 >= 0.
    Broadcastable. Source: SJTU tutorial, 'Score-based Diffusion Models', with the condition added.
    """
    return ve_step_var(std, std_0)


def level_weight(std: Array) -> Array:
    r"""Weight of a level in the loss: :math:`\lambda=\sigma^2`.                  [NCSN-3, NCSN-6]

    With it no level counts for more than d, whatever the data:
    :math:`\sigma^2\,\mathbb E\lVert\nabla\log q_\sigma\rVert^2\le d`, and -> d for large std.
    std: > 0. Source: Song & Ermon 2019, section 4.2.
    """
    return std**2


def multi_level_loss(errors: Array, std: Array) -> Array:
    r"""Denoising score matching over all levels.                                      [NCSN-3]

    .. math:: \sum_l\sigma_l^2\,\mathbb E_{\pi(x)}\mathbb E_{p(x'\mid x,\sigma_l)}
              \lVert s_\theta(x',\sigma_l)-\nabla_{x'}\log p(x'\mid x,\sigma_l)\rVert^2

    errors: (..., L), the squared norm at each level, or its mean. std: (L,), > 0. Returns (...).
    Source: Song & Ermon 2019, eq. 6 (there half of it, and the mean over levels); Isachenko, 'Noise
    conditioned score network'; SJTU tutorial, 'Score-based Diffusion Models'.
    """
    require_last_axis(errors=errors, std=std)
    return np.sum(level_weight(std) * errors, axis=-1)


def multi_level_floor(mean_square_score: Array, std: Array, d: int) -> Array:
    r"""What is left of `multi_level_loss` where the network is the exact score.       [NCSN-3]

    .. math:: \sum_l\big(d-\sigma_l^2\,\mathbb E\lVert\nabla\log q_{\sigma_l}\rVert^2\big)

    mean_square_score: (..., L), the mean squared norm of the score of each noisy law. std: (L,), > 0.
    d: the dimension. Returns (...), >= 0.
    """
    require_last_axis(mean_square_score=mean_square_score, std=std)
    return np.sum(d - level_weight(std) * mean_square_score, axis=-1)


def level_error(
    model: Callable[[Array], Array], score: Callable[[Array], Array], x_0: Array, z: Array, std: Array
) -> Array:
    r"""Squared error of a score model at one level, where the noisy data are.         [NCSN-4]

    .. math:: \lVert s_\theta(x_t,t)-\nabla\log p_{\sigma_t}(x_t)\rVert^2,\qquad x_t=x_0+\sigma_tz

    model, score: the two functions (..., d) -> (..., d) at this level. x_0, z: (..., d), data and standard
    normal noise. std: > 0, broadcastable. Returns (...). Its mean is 0 only for the exact score.
    Source: Kim, 'Diffusion Model', mended.
    """
    x_t = ve_step(x_0, z, std, 0.0)
    return np.sum((model(x_t) - score(x_t)) ** 2, axis=-1)


def annealed_step(step: Array, std: Array, smallest: Array) -> Array:
    r"""Langevin step at a level, given that at the smallest.                          [NCSN-5]

    .. math:: c_l=c\,\frac{\sigma_l^2}{\sigma_L^2}

    so that drift and noise of a step stand in the same ratio at every level. step, std, smallest: > 0,
    broadcastable. Source: Song & Ermon 2019, algorithm 1, whose alpha is 2c.
    """
    return step * (std / smallest) ** 2


def annealed_moments(
    mean_0: Array, var_0: Array, mean: Array, var: Array, std: Array, step: Array, steps: int
) -> tuple[Array, Array]:
    r"""Mean and variance at the end of annealed Langevin dynamics on data from N(mean, var).  [NCSN-5]

    At each level in turn `steps` steps of `langevin.ula_moments` towards N(mean, var + std^2), each level
    from where the one before has ended. mean_0, var_0: of where the first begins, var_0 >= 0. mean, var: of
    the data. All (..., d) or numbers. std: (L,), falling. step: at the smallest level, below 2 std[-1]^2.
    Returns (mean, variance).
    """
    for l in range(np.shape(std)[0]):
        size = annealed_step(step, std[l], std[-1])
        mean_0, var_0 = ula_moments(mean_0, var_0, mean, var + std[l] ** 2, size, steps)
    return mean_0, var_0


def ve_reverse_kernel(var: Array, std_t: Array, std_s: Array) -> tuple[Array, Array]:
    r"""Slope and variance of the reverse step x_s | x_t of the noising, for data from N(0, var).  [NCSN-10]

    .. math:: x_s\mid x_t\sim\mathcal N\Big(\frac{v+\sigma_s^2}{v+\sigma_t^2}\,x_t,\
              \frac{(v+\sigma_s^2)(\sigma_t^2-\sigma_s^2)}{v+\sigma_t^2}\Big)

    var: >= 0. std_t > std_s >= 0. Broadcastable. Source: conditioning a Gaussian.
    """
    slope = (var + std_s**2) / (var + std_t**2)
    return slope, slope * ve_step_var(std_t, std_s)


def reverse_gap(var: Array, std_t: Array, std_s: Array, step: Array, steps: int) -> Array:
    r"""How far Langevin steps at level s are from the reverse of the noising, from the same x_t.  [NCSN-10]

    .. math:: \mathbb E_{x_t}D_{KL}\big(\text{K steps from }x_t\,\Vert\,p(x_s\mid x_t)\big)>0

    in nats, for data from N(0, var). Both lead to the same law of x_s (as step -> 0, K -> infinity), but the
    steps forget x_t, and the reverse of an encoder does not. var: > 0; step: in (0, 2 (var + std_s^2)); both
    broadcastable with the levels. steps: K >= 1.
    """
    start = sqrt(var + std_t**2)  # one std of x_t: the mean square of what is linear in it
    slope, var_s = ve_reverse_kernel(var, std_t, std_s)
    mean, langevin_var = ula_moments(start, 0 * start, 0 * start, var + std_s**2, step, steps)
    return kl_variances(langevin_var, var_s) + 0.5 * (slope * start - mean) ** 2 / var_s


def restores_weights(largest: Array, separation: Array) -> Array:
    r"""Whether annealing gives the modes their weights: whether the largest level joins them.   [NCSN-9]

    .. math:: \sigma_1\ge\tfrac13\lVert m_1-m_2\rVert

    a rule of thumb, for two modes; Song & Ermon 2020, technique 1, ask for the whole distance.
    largest: the first std. separation: the distance of the modes. Broadcastable. Returns booleans.
    """
    return 3 * largest >= separation
