"""Cards of the corrector: Langevin steps that leave the law of their level as it is (SDE-7)."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import strategies as st

from refgen.cards import equation, mutant
from refgen.cards.strategies import positives, reals, together
from refgen.derivations import exact_flow, langevin_chain, line
from refgen.derivations.sampler_orders import Gaussian, euler_maruyama, moments_after, reverse_moments
from refgen.formulas import corrector, langevin
from refgen.sources import SJTU, SONG_2021

CORRECTOR = [SJTU("'Continuous Diffusion Models'"), SONG_2021("section 4.2, app. G")]


@equation(
    "SDE-7/ratio",
    title="the corrector's step, from the ratio of drift and noise",
    formula=corrector.snr_step,
    latex=r"\frac{\lVert c\,s\rVert}{\lVert\sqrt{2c}\,z\rVert}=r\ \iff\ "
    r"c=2\Big(r\frac{\lVert z\rVert}{\lVert s\rVert}\Big)^2",
    sources=[SONG_2021("Algorithms 4 and 5")],
    evidence="algebra",
    how="the mean lengths of drift and noise of a step so long, one over the other",
    given=[
        together(
            score=st.lists(points, min_size=n, max_size=n).map(np.array),
            z=st.lists(points, min_size=n, max_size=n).map(np.array),
            snr=positives(1e-2, 2.0),
        )
        for n, points in ((1, st.just([3.0])), (2, st.lists(reals(0.5, 4.0), min_size=2, max_size=2)))
    ],
    tolerance=1e-12,
)
def ratio_of_lengths(snr_step, score, z, snr):
    size = float(snr_step(score, z, snr))
    drift, noise = (np.mean(np.hypot.reduce(a, axis=-1)) for a in (size * score, np.sqrt(2 * abs(size)) * z))
    return drift / noise, snr


@mutant("unsquared", of="SDE-7/ratio", why="the ratio itself, not its square")
def snr_step_unsquared(score, z, snr, largest=math.inf):
    return 2 * snr * np.mean(np.linalg.norm(z, axis=-1)) / np.mean(np.linalg.norm(score, axis=-1))


@mutant("half", of="SDE-7/ratio", why="the 2 left out, as if the noise were sqrt(c) z")
def snr_step_without_two(score, z, snr, largest=math.inf):
    return (snr * np.mean(np.linalg.norm(z, axis=-1)) / np.mean(np.linalg.norm(score, axis=-1))) ** 2


@mutant("inverse", of="SDE-7/ratio", why="score over noise where noise over score belongs")
def snr_step_upside_down(score, z, snr, largest=math.inf):
    return 2 * (snr * np.mean(np.linalg.norm(score, axis=-1)) / np.mean(np.linalg.norm(z, axis=-1))) ** 2


@equation(
    "SDE-7/gaussian",
    title="a step of the corrector adds c^2 / v to a Gaussian's variance v, and keeps its mean",
    formula=langevin.ula_step,
    latex=r"v\mapsto\Big(1-\frac cv\Big)^2v+2c=v+\frac{c^2}v,\qquad m\mapsto m",
    sources=CORRECTOR,
    evidence="algebra",
    how="mean and variance of an affine map of x and z; the square multiplied out",
    given=dict(
        t=st.one_of(st.sampled_from([0.5, 1.0]), st.floats(0.01, 1.0)),
        mean=reals(),
        var=positives(0.1, 10.0),
        step=positives(1e-3, 1.5),
    ),
    tolerance=1e-11,
)
def corrector_on_a_gaussian(ula_step, t, mean, var, step):
    law = Gaussian(t, mean, var)
    size = step * law.std**2
    moved = moments_after(lambda x, z: ula_step(x, law.score(x), z, size), law.mean, law.var)
    scale = np.array([1 + abs(law.mean), law.var + 2 * size])
    return np.array(moved), np.array([law.mean, law.var + size**2 / law.var]), scale


@mutant("half", of="SDE-7/gaussian", why="half of the score beside the noise of a whole step")
def corrector_with_half_the_score(x, score, z, step):
    return x + step / 2 * score + math.sqrt(2 * step) * z


@mutant("inside", of="SDE-7/gaussian", why="the noise multiplied by the step, not by its root")
def corrector_with_step_outside(x, score, z, step):
    return x + step * (score / 2 + z)


@mutant("cold", of="SDE-7/gaussian", why="sqrt(c) where sqrt(2c) belongs: half the temperature")
def corrector_too_cold(x, score, z, step):
    return x + step * score + math.sqrt(step) * z


@equation(
    "SDE-7/invariant",
    title="the corrector leaves the law of its level as it is, for small steps",
    formula=langevin.ula_step,
    latex=r"\int\lvert K_cq_t-q_t\rvert\,dx=O(c^2)",
    sources=CORRECTOR,
    evidence="order",
    how="a step applied to the tabulated law of two modes at a level of the process; order in c",
    cases=[dict(t=0.2), dict(t=0.4)],
    relative=False,
    tolerance=0.15,
    reject_at=0.5,
)
def corrector_keeps_its_law(ula_step, t):
    law = line.noisy(exact_flow.LAW, *exact_flow.vp_level(t))
    x = np.arange(-6.0, 6.0, 0.02)
    mass = np.exp(line.log_density(x, law)) * 0.02
    steps = (0.004, 0.008, 0.016)
    gaps = [np.sum(np.abs(mass @ langevin_chain.kernel(ula_step, law, c, x, x) - mass)) for c in steps]
    return np.polyfit(np.log(steps), np.log(gaps), 1)[0], 2.0


@mutant("cold", of="SDE-7/invariant", why="sqrt(c) where sqrt(2c) belongs: order 1")
def cold_corrector(x, score, z, step):
    return x + step * score + math.sqrt(step) * z


@mutant("half", of="SDE-7/invariant", why="half of the score beside the noise of a whole step: order 1")
def corrector_of_half_score(x, score, z, step):
    return x + step / 2 * score + math.sqrt(2 * step) * z


@equation(
    "SDE-7/better",
    title="where its steps are few, the predictor's variance is off by less with a corrector",
    formula=langevin.ula_step,
    latex=r"\lvert\mathrm{Var}_{PC}-v\rvert\le\lvert\mathrm{Var}_P-v\rvert",
    sources=CORRECTOR,
    evidence="algebra",
    how="variances carried from step to step for Gaussian data; with many steps the corrector's bias remains",
    cases=[dict(count=n, var=0.25, step=c) for n in (10, 20, 50, 100) for c in (0.02, 0.05, 0.1)],
    relation="<=",
    relative=False,
    tolerance=0.0,
    reject_at=1e-3,
)
def predictor_with_and_without(ula_step, count, var, step):
    def corrected(x, score, z, law):
        return ula_step(x, score, z, step * law.std**2)

    both = [reverse_moments(euler_maruyama, count, 0.0, var, way)[1] for way in (corrected, None)]
    return abs(both[0]), abs(both[1])


@mutant("half", of="SDE-7/better", why="half of the score beside the noise of a whole step: too wide")
def corrector_with_half_of_it(x, score, z, step):
    return x + step / 2 * score + math.sqrt(2 * step) * z


@mutant("inside", of="SDE-7/better", why="the noise multiplied by the step, not by its root: too narrow")
def corrector_with_the_step_outside(x, score, z, step):
    return x + step * (score / 2 + z)
