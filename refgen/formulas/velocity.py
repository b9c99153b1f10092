r"""The velocity, and clean data from it at any noise level.                        [PAR]

(x_t, v) is (x_0, eps) turned by an angle, so going back is the opposite turn and amplifies no error, while
`parametrisation.x_0_from_eps` divides by the signal.
"""

from __future__ import annotations

from refgen.formulas.elementary import Array, require_last_axis

__all__ = ["v_from_x_0_and_eps", "x_0_from_v"]


def v_from_x_0_and_eps(x_0: Array, eps: Array, signal: Array, std: Array) -> Array:
    r"""The velocity by its definition, :math:`v=\mathrm{signal}\,\epsilon-\mathrm{std}\,x_0`.

    x_0, eps: (..., d). signal, std: broadcastable, >= 0. Source: Salimans & Ho 2022, app. D.
    """
    require_last_axis(x_0=x_0, eps=eps)
    return signal * eps - std * x_0


def x_0_from_v(x_t: Array, v: Array, signal: Array, std: Array) -> Array:
    r"""Clean data from velocity.

    .. math:: \hat x_0=\frac{\mathrm{signal}\,x_t-\mathrm{std}\,v}{\mathrm{signal}^2+\mathrm{std}^2}

    x_t, v: (..., d). signal, std: broadcastable, >= 0, not both zero. Source: Salimans & Ho 2022, app. D.
    """
    require_last_axis(x_t=x_t, v=v)
    return (signal * x_t - std * v) / (signal**2 + std**2)
