"""The formulas of noise in continuous time against 50 digits, in every precision."""

import mpmath
import numpy as np
import pytest

from refgen.formulas import process

mpmath.mp.dps = 50
mpf = mpmath.mpf
EPS = np.finfo(float).eps
TIMES = [1e-300, 1e-12, 1e-5, 1e-3, 0.1, 0.5, 0.9, 0.999, 1 - 1e-9]
LOG_SNRS = [-60.0, -20.0, -1.0, 0.0, 1e-9, 3.0, 20.0, 60.0, 600.0]


def close(got, terms, limit=10):
    return abs(mpf(float(got)) - sum(terms)) <= limit * EPS * sum(map(abs, terms))


@pytest.mark.parametrize("t", TIMES)
@pytest.mark.parametrize(("low", "high"), [(0.1, 20.0), (1e-3, 1e3), (2.0, 2.0)])
@pytest.mark.parametrize("lift", [float, np.array])
def test_rates_and_their_levels_against_fifty_digits(t, low, high, lift):
    a, b, u = mpf(low), mpf(high), mpf(t)
    assert close(process.linear_beta(lift(t), low, high), [a, u * (b - a)])
    integral = process.beta_integral(lift(t), low, high)
    assert close(integral, [a * u, (b - a) * u**2 / 2])
    assert close(process.integral_time(integral, low, high), [u], 20)
    B = mpf(float(integral))
    grown = float(10 * (1 + B))  # the exponential of a number that is rounded
    assert close(process.vp_signal(integral), [mpmath.exp(-B / 2)], grown)
    assert close(process.vp_std(integral), [mpmath.sqrt(-mpmath.expm1(-B))])
    assert close(process.vp_log_snr(integral), [-B, -mpmath.log(-mpmath.expm1(-B))])
    assert close(process.sub_vp_std(integral), [-mpmath.expm1(-B)])
    assert close(process.sub_vp_diffusion_var(3.0, integral), [-3 * mpmath.expm1(-2 * B)])
    assert process.vp_drift(lift(t)) == -t / 2


@pytest.mark.parametrize("t", TIMES)
@pytest.mark.parametrize("lift", [float, np.array])
def test_cosine_and_straight_noise_against_fifty_digits(t, lift):
    u, angle = mpf(t), mpmath.pi * mpf(t) / 2
    assert close(process.cosine_signal(lift(t)), [mpmath.cos(angle)])
    assert close(process.cosine_std(lift(t)), [mpmath.sin(angle)])
    assert close(process.cosine_drift(lift(t)), [-mpmath.pi / 2 * mpmath.tan(angle)])
    assert close(process.cosine_diffusion_var(lift(t)), [mpmath.pi * mpmath.tan(angle)])
    assert close(process.straight_drift(lift(t)), [-1 / (1 - u)])
    assert close(process.straight_diffusion_var(lift(t)), [2 * u / (1 - u)])
    assert process.edm_diffusion_var(lift(t)) == 2 * t


@pytest.mark.parametrize("log_snr", LOG_SNRS)
@pytest.mark.parametrize("lift", [float, np.array])
def test_times_of_a_log_snr_against_fifty_digits(log_snr, lift):
    root = mpmath.exp(-mpf(log_snr) / 2)
    grown = 10 + abs(log_snr)  # the exponential of a number that is rounded
    assert close(process.cosine_time(lift(log_snr)), [2 / mpmath.pi * mpmath.atan(root)], grown)
    assert close(process.straight_time(lift(log_snr)), [root / (1 + root)], grown)
    assert close(process.sub_vp_integral(lift(log_snr)), [2 * mpmath.asinh(root / 2)], grown)
    ratio = mpmath.log(mpf(50.0) / mpf(0.01))
    terms = [-mpf(log_snr) / 2 / ratio, -mpmath.log(mpf(0.01)) / ratio]
    assert close(process.ve_time(lift(log_snr), 50.0, 0.01), terms)


@pytest.mark.parametrize(("largest", "smallest"), [(80.0, 0.002), (4.0, 0.02), (1e4, 1e-6)])
def test_exploding_noise_against_fifty_digits(largest, smallest):
    ratio = mpmath.log(mpf(largest)), -mpmath.log(mpf(smallest))
    for std in (smallest, 0.3, largest):
        terms = [2 * mpf(std) ** 2 * r for r in ratio]
        assert close(process.ve_diffusion_var(std, largest, smallest), terms)
    for f in (0.0, 0.1, 0.5, 1.0):
        high, low = (mpf(a) ** (mpf(1) / 7) for a in (largest, smallest))
        exact = ((1 - mpf(f)) * high + mpf(f) * low) ** 7
        assert close(process.karras_std(f, largest, smallest), [exact], 100)
    assert close(process.log_snr_diffusion_var(0.3, -7.0), [mpf(0.3) ** 2 * 7])
    assert close(process.unit_power_drift(0.3, -7.0), [-(mpf(0.3) ** 2) * 7 / 2])


def test_known_numbers():
    """What the usual processes leave at time 1, and Karras' middle level of three."""
    assert process.beta_integral(1.0, 0.1, 20.0) == pytest.approx(10.05)
    assert round(process.vp_signal(10.05), 6) == 0.006572
    assert process.sub_vp_std(10.05) == pytest.approx(process.vp_std(10.05) ** 2, rel=1e-12)
    assert process.ve_diffusion_var(1.0, np.e, 1.0) == pytest.approx(2.0)
    assert process.karras_std(0.5, 80.0, 0.002) == pytest.approx(2.5152, abs=1e-4)


def test_float32_stays():
    t = np.array([1e-3, 0.5, 0.9], np.float32)
    one = [process.vp_signal, process.vp_std, process.vp_log_snr, process.sub_vp_std, process.cosine_signal]
    one += [process.cosine_std, process.cosine_drift, process.cosine_diffusion_var, process.straight_drift]
    one += [process.straight_diffusion_var, process.edm_diffusion_var, process.vp_drift]
    one += [process.cosine_time, process.straight_time, process.sub_vp_integral]
    three = [process.linear_beta, process.beta_integral, process.integral_time, process.karras_std]
    results = [f(t) for f in one] + [f(t, 0.1, 20.0) for f in three]
    results += [f(t, 4.0, 0.02) for f in (process.ve_diffusion_var, process.ve_time)]
    results += [process.sub_vp_diffusion_var(2.0, t), process.log_snr_diffusion_var(t, -t)]
    results += [process.unit_power_drift(t, -t)]
    assert all(r.dtype == np.float32 and r.shape == (3,) and np.all(np.isfinite(r)) for r in results)
