"""A noise schedule that is learned: the steps are put where the bound of the diffusion model gains most.

The diffusion loss depends on a schedule through its SNR alone [SNR-7]. With endless steps only the two ends
matter (Kingma et al. 2021); with a few, where they are put does, and that is what is learned here.
"""

from __future__ import annotations

from typing import Any

import numpy as onp
from autograd import value_and_grad

from refgen.autodiff import array_module
from refgen.backend import Stream, to_host
from refgen.formulas import snr
from refgen.nets.monotone import Monotone
from refgen.schedules import Schedule, from_log_snr

__all__ = ["gaussian_limit", "gaussian_loss", "learn", "log_snr"]

Array = Any


def log_snr(net: Monotone, params: Array, T: int, ends: tuple[float, float]) -> Array:
    """The log-SNR at t = 1..T, (T,): minus a rising omega, from ends[0] down to ends[1].           [SNR-4]"""
    t = array_module(params).linspace(0.0, 1.0, T)
    return -net.between(params, t, -ends[0], -ends[1])


def gaussian_loss(log_snr: Array, data_var: Array) -> Array:
    r"""The diffusion loss of Gaussian data with the exact denoiser, in nats.                       [SNR-7]

    .. math:: \tfrac12\sum_{t\ge2}\big(\mathrm{SNR}(t-1)-\mathrm{SNR}(t)\big)
              \sum_i\frac{v_i}{1+\mathrm{SNR}(t)\,v_i}

    log_snr: (T,), falling. data_var: (d,), the variances v_i > 0 along the principal axes.
    """
    return snr.diffusion_loss(log_snr, snr.gaussian_square_error(log_snr, data_var))


def gaussian_limit(ends: tuple[float, float], data_var: onp.ndarray) -> float:
    """What `gaussian_loss` falls to as T grows, for any schedule between these ends."""
    return float(snr.gaussian_loss_limit(*ends, data_var))


def learn(
    T: int, data_var: Any, rng: Stream, ends: tuple[float, float] = (9.0, -10.0)
) -> tuple[Schedule, float, float]:
    """The schedule of T steps with the smallest loss for Gaussian data: (schedule, loss before, loss after).

    data_var: (d,), > 0. rng: gives the first parameters of the monotone network. ends: the log-SNR at t =
    1 and t = T, falling. Before: steps even in the log-SNR. Raises ValueError where T < 3 (nothing is free
    to move), or data_var or ends are out of range.
    """
    from scipy.optimize import minimize  # slow to import, and only wanted here

    data_var = onp.asarray(data_var, onp.float64).reshape(-1)
    if T < 3:
        raise ValueError(f"T is {T}; a schedule has levels between its ends only from T = 3 on")
    if len(data_var) == 0 or not onp.all((data_var > 0) & onp.isfinite(data_var)):
        raise ValueError(f"data_var is {data_var.tolist()}; variances must be > 0")
    if not -700 <= ends[1] < ends[0] <= 700:
        raise ValueError(f"ends is {ends}; the log-SNR must fall, within [-700, 700]")
    net = Monotone()
    loss = value_and_grad(lambda params: gaussian_loss(log_snr(net, params, T, ends), data_var))
    found = minimize(loss, to_host(net.init(rng)).astype(onp.float64), jac=True, method="L-BFGS-B")
    before = float(gaussian_loss(onp.linspace(*ends, T), data_var))
    return from_log_snr(log_snr(net, found.x, T, ends), "learned"), before, float(found.fun)
