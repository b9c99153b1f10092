"""Cards of a particle with friction and noise, and of the limit of strong friction (LAN-1, LAN-5)."""

from __future__ import annotations

import math

import autograd.numpy as anp
import numpy as np
from autograd import grad, hessian
from scipy.integrate import quad
from scipy.linalg import solve_continuous_lyapunov

from refgen.cards import equation, mutant
from refgen.cards.strategies import mixtures, points, positives, rungs, together
from refgen.derivations.reverse_kernel import slope
from refgen.derivations.tweedie import log_density
from refgen.formulas import langevin
from refgen.sources import KIM

SLIDE = KIM("'Score-based Generative Model', Langevin dynamics")
PARTICLE = dict(mass=positives(0.1, 10.0), friction=positives(0.1, 10.0), temperature=positives(0.1, 10.0))


# ---- LAN-1
@equation(
    "LAN-1/spring",
    title="a particle on a spring: its variances at rest",
    formula=langevin.underdamped_acceleration,
    latex=r"M\ddot X=-kX-\gamma M\dot X+\sqrt{2M\gamma k_BT}\,R\ \Rightarrow\ "
    r"\mathrm{Var}X=\tfrac{k_BT}k,\ \mathrm{Var}\dot X=\tfrac{k_BT}M",
    sources=[SLIDE],
    evidence="algebra",
    how="half the temperature for each square in the energy; claimed is Lyapunov's equation, solved for the "
    "drift and the noise that the formula gives",
    given=dict(stiffness=positives(0.1, 10.0), **PARTICLE),
    tolerance=1e-10,
)
def equipartition(underdamped_acceleration, stiffness, mass, friction, temperature):
    def acceleration(x, velocity, noise):
        arrays = np.array([velocity]), np.array([-stiffness * x]), np.array([noise])
        return underdamped_acceleration(*arrays, mass, friction, temperature)[0]

    drift = np.array([[0.0, 1.0], [acceleration(1.0, 0.0, 0.0), acceleration(0.0, 1.0, 0.0)]])
    noise = np.diag([0.0, acceleration(0.0, 0.0, 1.0) ** 2])
    claimed = solve_continuous_lyapunov(drift, -noise)
    derived = np.diag([temperature / stiffness, temperature / mass])
    return claimed, derived, np.sqrt(np.outer(np.diag(derived), np.diag(derived)))


@mutant("mass", of="LAN-1/spring", why="sqrt(2 gamma k T) for the force of the noise: the mass left out")
def acceleration_without_mass(velocity, force, noise, mass, friction, temperature):
    return (force - friction * mass * velocity + math.sqrt(2 * friction * temperature) * noise) / mass


@mutant("two", of="LAN-1/spring", why="sqrt(M gamma k T): half the temperature")
def acceleration_at_half_temperature(velocity, force, noise, mass, friction, temperature):
    noise = noise / math.sqrt(2)
    return langevin.underdamped_acceleration(velocity, force, noise, mass, friction, temperature)


@mutant("drag", of="LAN-1/spring", why="the drag gamma V, without M, beside a noise that has it")
def acceleration_with_plain_drag(velocity, force, noise, mass, friction, temperature):
    return (force - friction * velocity + math.sqrt(2 * mass * friction * temperature) * noise) / mass


@equation(
    "LAN-1/law",
    title="any potential: the law of Gibbs stays",
    formula=langevin.gibbs_log_density,
    latex=r"p\propto e^{-(U(x)+\frac M2\dot x^2)/k_BT}:\quad 0=-\dot x\cdot\nabla_xp+"
    r"\nabla_{\dot x}\cdot\big[\big(\tfrac{\nabla U}M+\gamma\dot x\big)p\big]"
    r"+\tfrac{\gamma k_BT}M\Delta_{\dot x}p",
    sources=[SLIDE],
    evidence="autodiff",
    how="the Fokker-Planck equation, divided by p, by derivatives of log p: claimed is its residual; "
    "a mixture for the potential",
    given=rungs(lambda d: together(x=points(d), velocity=points(d), law=mixtures(d, 2), **PARTICLE), 1, 2),
    tolerance=1e-10,
    examples=40,
)
def gibbs_is_stationary(gibbs_log_density, x, velocity, law, mass, friction, temperature):
    d = len(x)

    def energy(x):
        return -log_density(x, law["weights"], law["means"], law["covs"])

    def log_p(both):
        potential = anp.reshape(energy(both[:d]), (1,))  # an array, so that it can move to a device
        return gibbs_log_density(potential, both[None, d:], mass, temperature)[0]

    both = np.append(x, velocity)
    first, force = grad(log_p)(both), -grad(energy)(x)
    second = np.diag(hessian(log_p)(both))[d:]
    terms = np.concatenate(
        [
            -velocity * first[:d],
            -force / mass * first[d:],
            friction * velocity * first[d:],
            np.full(d, friction),
            friction * temperature / mass * second,
            friction * temperature / mass * first[d:] ** 2,
        ]
    )
    return np.sum(terms), 0.0, np.sum(np.abs(terms)) + np.sum(abs(velocity)) * np.sum(abs(force))


@mutant("energy", of="LAN-1/law", why="M V^2 for M V^2 / 2")
def gibbs_of_twice_the_kinetic_energy(energy, velocity, mass, temperature):
    return -(energy + mass * anp.sum(velocity**2, axis=-1)) / temperature


@mutant("position", of="LAN-1/law", why="the temperature divides the potential only")
def gibbs_of_cold_velocity(energy, velocity, mass, temperature):
    return -energy / temperature - 0.5 * mass * anp.sum(velocity**2, axis=-1)


# ---- LAN-5
@equation(
    "LAN-5/step",
    title="strong friction: the step of the chain",
    formula=langevin.overdamped_step,
    latex=r"dX=-\tfrac{\nabla U}{\gamma M}dt+\sqrt{\tfrac{2k_BT}{\gamma M}}\,dW,\qquad "
    r"c=\tfrac{k_BT\,dt}{\gamma M}",
    sources=[SLIDE],
    evidence="quadrature",
    how="drift: the speed at which drag equals force; noise: the integral of the velocity's autocorrelation",
    given=dict(force=positives(0.1, 10.0), dt=positives(1e-3, 1.0), **PARTICLE),
    tolerance=1e-8,
)
def friction_makes_a_step(overdamped_step, force, dt, mass, friction, temperature):
    step = overdamped_step(dt, mass, friction, temperature)
    diffusion = quad(lambda s: temperature / mass * math.exp(-s), 0, np.inf)[0] / friction
    speed = force / (friction * mass)
    return np.array([step * force / temperature, 2 * step]), np.array([speed * dt, 2 * diffusion * dt])


@mutant("mass", of="LAN-5/step", why="k T dt / gamma: gamma is a rate here, not a drag coefficient")
def step_without_mass(dt, mass, friction, temperature):
    return temperature * dt / friction


@mutant("cold", of="LAN-5/step", why="dt / (gamma M): the temperature left out")
def step_without_temperature(dt, mass, friction, temperature):
    return dt / (friction * mass)


@equation(
    "LAN-5/limit",
    title="the limit is wrong by 1 / friction^2",
    formula=langevin.overdamped_step,
    latex=r"\frac{\text{rate of the chain}}{\text{slow rate of }M\ddot X=-kX-\gamma M\dot X}"
    r"=1-\frac k{M\gamma^2}+O(\gamma^{-4})",
    sources=[SLIDE],
    evidence="order",
    how="the slow eigenvalue of a particle on a spring at the frictions 10, 20, 40, 80",
    cases=[
        dict(stiffness=k, mass=m, temperature=t)
        for k, m, t in ((1.0, 1.0, 1.0), (3.0, 2.0, 0.5), (0.5, 0.3, 2))
    ],
    tolerance=0.05,
    relative=False,
    reject_at=0.5,
)
def error_of_the_limit(overdamped_step, stiffness, mass, temperature):
    frictions, errors = np.array([10.0, 20.0, 40.0, 80.0]), []
    for friction in frictions.tolist():
        drift = np.array([[0.0, 1.0], [-stiffness / mass, -friction]])
        slow = -np.max(np.linalg.eigvals(drift).real)
        rate = overdamped_step(1.0, mass, friction, temperature) * stiffness / temperature
        errors.append(abs(rate / slow - 1))
    return slope(frictions, errors), -2.0


@mutant("two", of="LAN-5/limit", why="2 k T dt / (gamma M), the variance, taken for the step")
def step_of_the_variance(dt, mass, friction, temperature):
    return 2 * temperature * dt / (friction * mass)
