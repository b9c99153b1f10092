"""Cards of a time step of a particle with friction and noise, split into kick, drift and noise (LAN-1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import expm, solve_discrete_lyapunov

from refgen.cards import equation, mutant
from refgen.cards.strategies import positives
from refgen.derivations.reverse_kernel import slope
from refgen.formulas import langevin
from refgen.sources import KIM, LEIMKUHLER_2013

SOURCES = [LEIMKUHLER_2013("the scheme BAOAB"), KIM("'Score-based Generative Model', Langevin dynamics")]
PARTICLE = dict(mass=positives(0.1, 10.0), friction=positives(0.1, 10.0), temperature=positives(0.1, 10.0))
Step = Callable[..., tuple[Any, Any]]


def on_a_spring(step_of: Step, stiffness: float, dt: float, **particle: float) -> tuple[Any, Any]:
    """What a step on a spring makes of position and velocity, (2, 2), and the variance it adds, (2, 2)."""
    columns = []
    for x, velocity, z in np.eye(3).tolist():
        arrays = np.array([x]), np.array([velocity]), np.array([-stiffness * x]), np.array([z])
        columns.append(np.concatenate(step_of(*arrays, dt, **particle)))
    noise = columns[2]
    return np.stack(columns[:2], axis=1), np.outer(noise, noise)


@equation(
    "LAN-1/step",
    title="a split step on a spring: the positions have the right law, however long it is",
    formula=langevin.underdamped_step,
    latex=r"h<2\sqrt{M/k}\ \Rightarrow\ \mathrm{Var}X=\tfrac{k_BT}k,\ \mathrm{Var}V=\tfrac{k_BT}M,\ "
    r"\mathrm{Cov}(X,V)=\tfrac h2\tfrac{k_BT}M",
    sources=SOURCES,
    evidence="algebra",
    how="the variances of Gibbs, and half a kick by which the velocity is ahead; claimed is the discrete "
    "Lyapunov equation, solved for the map and the noise that the formula gives",
    given=dict(stiffness=positives(0.1, 10.0), share=positives(0.05, 1.9), **PARTICLE),
    tolerance=1e-9,
)
def positions_at_rest(underdamped_step, stiffness, share, mass, friction, temperature):
    dt = share * math.sqrt(mass / stiffness)
    particle = dict(mass=mass, friction=friction, temperature=temperature)
    claimed = solve_discrete_lyapunov(*on_a_spring(underdamped_step, stiffness, dt, **particle))
    at_rest = np.diag([temperature / stiffness, temperature / mass])
    derived = at_rest + dt / 2 * temperature / mass * np.array([[0.0, 1.0], [1.0, 0.0]])
    return claimed, derived, np.sqrt(np.outer(np.diag(at_rest), np.diag(at_rest)))


@mutant("euler", of="LAN-1/step", why="friction and noise of Euler and Maruyama, to first order in the step")
def step_of_euler(x, velocity, force, z, dt, mass, friction, temperature):
    velocity = velocity * (1 - friction * dt) + dt * force / mass
    velocity = velocity + math.sqrt(2 * friction * temperature * dt / mass) * z
    return x + dt * velocity, velocity


@mutant("noise", of="LAN-1/step", why="the noise sqrt(1 - e^(-gamma h)), without the 2")
def step_of_half_the_noise(x, velocity, force, z, dt, mass, friction, temperature):
    z = z * math.sqrt(math.expm1(-friction * dt) / math.expm1(-2 * friction * dt))
    return langevin.underdamped_step(x, velocity, force, z, dt, mass, friction, temperature)


@mutant("drift", of="LAN-1/step", why="the whole drift after the noise")
def step_with_one_drift(x, velocity, force, z, dt, mass, friction, temperature):
    spread = math.sqrt(-temperature / mass * math.expm1(-2 * friction * dt))
    velocity = math.exp(-friction * dt) * (velocity + dt * force / mass) + spread * z
    return x + dt * velocity, velocity


@equation(
    "LAN-1/flow",
    title="a split step follows the particle",
    formula=langevin.underdamped_step,
    latex=r"\text{moments of a step}-\text{moments after the time }h=O(h^2)",
    sources=SOURCES,
    evidence="order",
    how="mean and variance on a spring against the matrix exponential, at the steps 1/20, 1/40, 1/80, 1/160",
    cases=[
        dict(stiffness=k, mass=m, friction=g, temperature=t)
        for k, m, g, t in ((1.0, 1.0, 1.0, 1.0), (3.0, 2.0, 0.5, 0.5), (0.5, 0.7, 2.0, 2.0))
    ],
    tolerance=0.1,
    relative=False,
    reject_at=0.5,
)
def error_of_a_step(underdamped_step, stiffness, mass, friction, temperature):
    drift = np.array([[0.0, 1.0], [-stiffness / mass, -friction]])
    at_rest = np.diag([temperature / stiffness, temperature / mass])
    steps, errors = 0.05 / 2.0 ** np.arange(4), []
    for dt in steps.tolist():
        flow = expm(drift * dt)
        exact = np.stack([flow, at_rest - flow @ at_rest @ flow.T])
        particle = dict(mass=mass, friction=friction, temperature=temperature)
        errors.append(
            np.max(np.abs(np.stack(on_a_spring(underdamped_step, stiffness, dt, **particle)) - exact))
        )
    return slope(steps, errors), 2.0


@mutant(
    "friction", of="LAN-1/flow", why="twice the friction, in the drag and in the noise: the same law at rest"
)
def step_of_twice_the_friction(x, velocity, force, z, dt, mass, friction, temperature):
    return langevin.underdamped_step(x, velocity, force, z, dt, mass, 2 * friction, temperature)


@mutant("drift", of="LAN-1/flow", why="half a drift only")
def step_with_half_a_drift(x, velocity, force, z, dt, mass, friction, temperature):
    _, moved = langevin.underdamped_step(x, velocity, force, z, dt, mass, friction, temperature)
    return x + dt / 2 * moved, moved
