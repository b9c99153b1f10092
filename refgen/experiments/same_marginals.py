"""One family of laws p_t, and every way back through it.    [EXP-25, SDE-4, SDE-11, SYS-19, SYS-20, SYS-22]

Song's diagram: data become noise by a stochastic equation; the reverse one, the discrete chain, the flow and
the predictor with a corrector lead back through the same marginals. Points at five levels of noise are held
against the exact law there, and two ways that are wrong by a factor 2 as well.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from refgen import plots
from refgen.backend import Stream
from refgen.denoisers import Denoiser, ExactDenoiser
from refgen.distributions import Gaussian
from refgen.evaluation import CONTROL_BOUND
from refgen.experiments.outcome import Claim, Outcome
from refgen.experiments.sampler_ways import FLOW, LAW, LEVELS
from refgen.metrics import directions, sampling_floor, sliced_wasserstein
from refgen.processes import VE, Levels, SubVP
from refgen.samplers.ancestral import ancestral
from refgen.samplers.euler_maruyama import euler_maruyama
from refgen.samplers.predictor_corrector import predictor_corrector
from refgen.samplers.probability_flow import probability_flow

__all__ = ["NOISE", "ROUTES", "WRONG", "Route", "corrected", "gaussian_moments", "marginals", "run"]

STEPS = 500
NOISE = (0.97, 0.8, 0.5, 0.2, 0.0)  # std over the root of signal^2 + std^2, at which laws are compared
WIDE = VE(0.02, 10.0)
LIMIT = 2.7
_NOTE: Any = dict(fontsize=8, color=plots.INK, bbox=dict(facecolor="white", alpha=0.8, linewidth=0, pad=1.0))


class Route(NamedTuple):
    """levels: of so many steps. sample: (denoiser, levels, x_T, rng, trajectory=...) -> x_0."""

    levels: Callable[[int], Levels]
    sample: Callable[..., Any]
    score: float = 1.0  # what the score is multiplied by


class _Scaled(Denoiser):
    """A denoiser whose score, and nothing else, is multiplied by a factor."""

    def __init__(self, denoiser: Denoiser, factor: float):
        self.denoiser, self.factor = denoiser, factor

    def eps(self, x: Any, signal: Any, std: Any) -> Any:
        return self.denoiser.eps(x, signal, std)

    def x_0(self, x: Any, signal: Any, std: Any) -> Any:
        return self.denoiser.x_0(x, signal, std)

    def score(self, x: Any, signal: Any, std: Any) -> Any:
        return self.factor * self.denoiser.score(x, signal, std)


def _vp(steps: int) -> Levels:
    return FLOW.grid(steps, "time")


SDE_VP, FLOW_VP, SDE_VE = "reverse SDE,\nVP", "flow,\nVP", "reverse SDE,\nVE"
ROUTES = {
    "DDPM,\nthe chain": Route(LEVELS.respaced, ancestral),
    SDE_VP: Route(_vp, euler_maruyama),
    FLOW_VP: Route(_vp, probability_flow),
    "with corrector,\nVP": Route(_vp, predictor_corrector),
    "reverse SDE,\nsub-VP": Route(lambda steps: SubVP().grid(steps, "time"), euler_maruyama),
    SDE_VE: Route(lambda steps: WIDE.grid(steps, "time"), euler_maruyama),
}
WRONG_SDE, WRONG_FLOW = "wrong: SDE,\n" + r"score $g^2/2$", "wrong: flow,\n" + r"score $g^2$"
WRONG = {
    WRONG_SDE: Route(_vp, euler_maruyama, 0.5),
    WRONG_FLOW: Route(_vp, probability_flow, 2.0),
}


def noise_of(levels: Levels) -> np.ndarray:
    """The std of each level at unit power, (T + 1,)."""
    return levels.std / np.hypot(levels.signal, levels.std)


def marginals(
    route: Route, n: int, lines: Any, rng: Stream, steps: int = STEPS, draws: int = 10
) -> list[tuple[np.ndarray, float]]:
    """For each of NOISE the points there, (n, 2), at unit power, and their distance to its law in floors."""
    levels = route.levels(steps)
    at = [int(np.argmin(np.abs(noise_of(levels) - one))) for one in NOISE]
    kept: dict[int, Any] = dict.fromkeys(at)
    x_T = float(levels.std[-1]) * rng.spawn("start").normal(n, 2)
    route.sample(_Scaled(ExactDenoiser(LAW), route.score), levels, x_T, rng, trajectory=kept)
    found = []
    for k, noise in zip(at, NOISE, strict=True):
        law, own = LAW.diffused(*levels.level(k)), rng.spawn(f"noise {noise}")
        floor = sampling_floor(law, n, lines, own, draws).max
        distance = sliced_wasserstein(law.sample(own.spawn("exact"), n), kept[k], lines)
        found.append((kept[k] / np.hypot(*levels.level(k)), distance / floor))
    return found


def corrected(name: str, steps: int, n: int, lines: Any, rng: Stream, seeds: int = 4) -> dict[str, float]:
    """The mean distance over NOISE and seeds, in floors: of a predictor, of one with a corrector, which costs
    twice the calls, and of a predictor with twice the steps."""
    ways: dict[str, tuple[int, Callable[..., Any]]] = {
        "predictor": (steps, euler_maruyama),
        "corrector": (steps, predictor_corrector),
        "twice the steps": (2 * steps, euler_maruyama),
    }

    def mean(T: int, sample: Callable[..., Any]) -> float:
        route, streams = Route(ROUTES[name].levels, sample), [rng.spawn(str(i)) for i in range(seeds)]
        return float(np.mean([[d for _, d in marginals(route, n, lines, own, T, 3)] for own in streams]))

    return {way: mean(*of) for way, of in ways.items()}


def gaussian_moments(n: int, rng: Stream, steps: int = STEPS) -> list[dict[str, float]]:
    """The reverse SDE of Gaussian data in 1-D, whose law is known: mean and variance at each of NOISE.

    Each with its exact value, and how many standard errors lie between.
    """
    law, levels = Gaussian([0.5], 0.25), _vp(steps)
    at = [int(np.argmin(np.abs(noise_of(levels) - one))) for one in NOISE]
    kept: dict[int, Any] = dict.fromkeys(at)
    euler_maruyama(ExactDenoiser(law), levels, rng.spawn("start").normal(n, 1), rng, trajectory=kept)
    found = []
    for k in at:
        exact = law.diffused(*levels.level(k))
        mean, var = float(exact.mean[0]), float(exact.cov[0, 0])
        m, v = float(np.mean(kept[k])), float(np.var(kept[k]))
        z = (m - mean) / np.sqrt(var / n), (v - var) / (var * np.sqrt(2 / n))
        found.append(dict(mean=m, exact_mean=mean, var=v, exact_var=var, z_mean=z[0], z_var=z[1]))
    return found


def run(rng: Stream, say: Callable[..., None], n: int = 8000, few: int = 20) -> Outcome:
    """Every route's marginals, the moments of the reverse SDE of a Gaussian, and what a corrector does."""
    lines, found = directions(2, 64, rng.spawn("directions")), {}
    for name, route in (ROUTES | WRONG).items():
        say(_plain(name))
        found[name] = marginals(route, n, lines, rng.spawn(_plain(name)))
    say("moments and correctors")
    moments = gaussian_moments(20_000, rng.spawn("moments"), 1000)
    gains = {
        _plain(name): corrected(name, few, n // 2, lines, rng.spawn("corrector")) for name in (SDE_VP, SDE_VE)
    }
    floors = {name: [distance for _, distance in of] for name, of in found.items()}
    largest = max(abs(row[key]) for row in moments for key in ("z_mean", "z_var"))
    claims = [
        *(
            Claim(f"{_plain(name)}: worst level, floors", max(floors[name]), "<=", CONTROL_BOUND)
            for name in ROUTES
        ),
        *(Claim(f"{_plain(name)}: worst level", max(floors[name]), ">=", 10.0) for name in WRONG),
        Claim("1-D Gaussian: largest z of mean or variance", largest, "<=", 4.0),
        *(
            Claim(f"{name}, {few} steps: corrector / none", of["corrector"] / of["predictor"], "<=", 1.0)
            for name, of in gains.items()
        ),
        *(
            Claim(
                f"{name}: corrector / as many calls without",
                of["corrector"] / of["twice the steps"],
                "<=",
                1.0,
                expected=False,
            )
            for name, of in gains.items()
        ),
    ]
    numbers: dict[str, Any] = {
        "n": n,
        "steps": STEPS,
        "noise": NOISE,
        "distance in floors": {_plain(name): of for name, of in floors.items()},
        "moments of a Gaussian": moments,
        f"mean distance at {few} steps": gains,
    }
    return Outcome(
        "The discrete chain, the reverse SDE, the probability flow and predictor and corrector have the same "
        "marginals.",
        claims,
        numbers,
        figure_of(found),
        "Down the columns noise becomes data, over the exact densities; in a row all is at one level of "
        "noise, scaled to unit power. The numbers are distances to the law there, in floors: 1 is as near "
        "as exact points come. A reverse SDE with half its score goes astray at once.",
        "With small steps. With few, each way has its own error; a corrector takes off some of it, but here "
        "less than its calls do as further steps.",
    )


def figure_of(found: dict[str, list[tuple[np.ndarray, float]]], shown: int = 1500) -> Figure:
    """A column for each route, a row for each level of noise, each with its distance in floors."""
    names = [*ROUTES, WRONG_SDE]
    figure, axes = plots.panels(len(NOISE), len(names))
    for name, column in zip(names, axes.T, strict=True):
        colour = plots.EXACT if name in ROUTES else plots.INK
        for i, (ax, noise, (points, floors)) in enumerate(zip(column, NOISE, found[name], strict=True)):
            plots.frame(ax, LIMIT)
            plots.density(ax, LAW.diffused(float(np.sqrt(1 - noise**2)), noise), LIMIT)
            plots.scatter(ax, points[:shown], colour)
            text = name if i == 0 else f"noise {noise:g}" if ax is axes[i, 0] else ""
            ax.set_title(text, pad=3, fontsize=8)
            ax.text(-2.55, -2.5, f"{floors:.1f}", **_NOTE)
    axes[0, 0].text(-2.55, 2.1, f"noise {NOISE[0]:g}", **_NOTE)
    return figure


def _plain(name: str) -> str:
    return name.replace("\n", " ").replace("$", "").replace("^", "")
