"""A noise schedule learned with the network, beside those that are given.                 [SYS-18, SNR-7]

The bound at the same number of steps, with the exact denoiser, so that schedules alone differ; and with many
steps the same bound whatever lies between the ends. Source: Kingma et al. 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from refgen import plots, schedules
from refgen.backend import Stream
from refgen.experiments.outcome import Claim, Outcome
from refgen.experiments.sampler_ways import LAW
from refgen.experiments.trained import trained
from refgen.formulas.parametrisation import eps_from_score
from refgen.formulas.snr import unit_level
from refgen.models.vdm import VDM
from refgen.schedules import Schedule

__all__ = ["ExactVDM", "between", "excess", "run"]

T, MANY = 20, 4000
MODEL = VDM(objective="steps", T=T, hidden=64)
COUNTS = (10, T, 50, 200, 1000)
LEARNED, EVEN, BENT = "learned", "its ends, even log-SNR", "its ends, bent"


class ExactVDM(VDM):
    """The same bound, with the exact denoiser of the data in place of a network."""

    def output(self, params: Any, x: Any, log_snr: Any) -> Any:
        signal, std = unit_level(log_snr)
        return eps_from_score(LAW.noisy_score(x, float(signal), float(std)), float(std))


EXACT = ExactVDM()


def excess(levels: Schedule, x: Any, rng: Stream) -> tuple[float, float]:
    """How far minus the bound is above the entropy with the exact denoiser, in nats, at points x, (n, 2):
    mean and standard error. What is subtracted is -log p at the same points, which varies with the bound."""
    gap = EXACT.bound(EXACT.init(rng), x, rng, levels).total + LAW.log_prob(x)
    return float(np.mean(gap)), float(np.std(gap) / np.sqrt(len(x)))


def between(learned: Schedule, power: float) -> Schedule:
    """With the ends and the number of steps of a schedule, the log-SNR falling like time to a power."""
    t = np.linspace(0, 1, learned.T) ** power
    return schedules.from_log_snr((1 - t) * learned.log_snr[1] + t * learned.log_snr[-1])


def run(
    rng: Stream,
    say: Callable[..., None],
    n: int = 4000,
    train_steps: int = 2000,
    counts: Sequence[int] = COUNTS,
) -> Outcome:
    """The learned schedule against four given ones, and against others with its own ends."""
    params = trained(MODEL, LAW, rng, train_steps, say, batch=256, cool=0.5)
    x = LAW.sample(rng.spawn("data"), n)
    makers: dict[str, Callable[[int], Schedule]] = {
        LEARNED: lambda steps: MODEL.levels_at(params, steps),
        EVEN: lambda steps: between(MODEL.levels_at(params, steps), 1.0),
        BENT: lambda steps: between(MODEL.levels_at(params, steps), 2.0),
        "linear beta": schedules.linear,
        "cosine": schedules.cosine,
    }
    found: dict[str, dict[int, tuple[float, float]]] = {}
    for name, make in makers.items():
        say(f"the bound, {name}")
        found[name] = {steps: excess(make(steps), x, rng.spawn("noise")) for steps in counts}
    say(f"the bound with {MANY} steps")
    many = [excess(makers[name](MANY), x, rng.spawn("noise"))[0] for name in (LEARNED, EVEN, BENT)]
    loss = LAW.entropy + float(np.mean(many))
    at = {name: of[T][0] for name, of in found.items()}
    claims = [
        Claim(
            f"T = {T}: excess over the entropy, learned / linear", at[LEARNED] / at["linear beta"], "<=", 1.0
        ),
        Claim("learned / cosine", at[LEARNED] / at["cosine"], "<=", 1.0),
        Claim("learned / even log-SNR with its ends", at[LEARNED] / at[EVEN], "<=", 1.0),
        Claim("no bound is below the entropy: least excess", min(many), ">=", 0.0),
        Claim(f"T = {MANY}: range of three interiors / loss", (max(many) - min(many)) / loss, "<=", 0.01),
        Claim(f"T = {T}: the same", (at[EVEN] - at[LEARNED]) / (LAW.entropy + at[LEARNED]), ">=", 0.1),
    ]
    low, high = (float(MODEL.levels_at(params, T).log_snr[k]) for k in (-1, 1))
    numbers: dict[str, Any] = {
        "n": n,
        "entropy": LAW.entropy,
        "excess of minus the bound, mean and standard error": found,
        f"the same with {MANY} steps: learned, even, bent": many,
        "ends of the learned log-SNR": [high, low],
    }
    return Outcome(
        "The signal-to-noise ratio can be learned by a monotone network; with endless steps only its ends "
        "matter to the bound.",
        claims,
        numbers,
        figure_of(makers, found),
        f"With {T} steps minus the bound is {at[LEARNED]:.2f} nats above the entropy for the learned "
        f"schedule, {at['cosine']:.2f} for the cosine and {at['linear beta']:.2f} for the linear one. With "
        "its ends, all interiors come to the same as steps are added.",
        "Linear and cosine betas take their longest steps in log-SNR near the data, and pay for it in the "
        "bound, which says nothing of how samples look.",
    )


def figure_of(
    makers: dict[str, Callable[[int], Schedule]], found: dict[str, dict[int, tuple[float, float]]]
) -> Figure:
    """The schedules, and minus their bounds against the number of steps."""
    figure, axes = plots.chart(2, width=9.0, height=3.6)
    looks = {
        LEARNED: dict(color=plots.LEARNED, marker="o"),
        EVEN: dict(color=plots.LEARNED, marker="s", linestyle="--"),
        BENT: dict(color=plots.LEARNED, marker="^", linestyle=":"),
        "linear beta": dict(color=plots.INK, marker="D"),
        "cosine": dict(color="#009E73", marker="v"),
    }
    for name, make in makers.items():
        look: Any = dict(looks[name])
        means = [mean for mean, _ in found[name].values()]
        axes[1].plot(list(found[name]), means, label=name, linewidth=1.3, markersize=4, **look)
        look.pop("marker")
        levels = make(500)
        axes[0].plot(np.linspace(0, 1, levels.T), levels.log_snr[1:], linewidth=1.3, label=name, **look)
    axes[0].set_title("log-SNR in the time of the chain", fontsize=9)
    axes[0].set(xlabel="t / T", ylim=(-14, 14))
    axes[1].set_title("minus the bound, above the entropy, in nats", fontsize=9)
    axes[1].set(xscale="log", yscale="log", xlabel="steps T")
    axes[1].set_yticks([0.3, 1, 3, 10], ["0.3", "1", "3", "10"])
    axes[1].set_xticks(list(COUNTS), [str(steps) for steps in COUNTS])
    for ax in axes:
        ax.minorticks_off()
        ax.legend(fontsize=8, frameon=False)
    return figure
