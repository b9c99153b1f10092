"""Cards of the autoencoder as a limit: what a latent variable of no variance has and lacks (TAX-8)."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from refgen.cards import definition, equation, mutant
from refgen.cards.strategies import points, positives, rungs, together
from refgen.derivations.gaussian import normal_nodes
from refgen.formulas import latent
from refgen.sources import KIM, KINGMA_2014

FROM_CODE_TO_DRAW = KIM("'VAE', from the autoencoder's code to a random one")


@equation(
    "TAX-8/reconstruction",
    title="with ever less variance the reconstruction is an autoencoder's",
    formula=latent.draw,
    latex=r"E\lVert x-D(\mu+\sigma\epsilon)\rVert^2=\lVert x-D(\mu)\rVert^2+O(\sigma^2)",
    sources=[FROM_CODE_TO_DRAW, KINGMA_2014("section 2.4")],
    evidence="order",
    how="order in the variance of the difference, for a decoder that bends, by Gauss and Hermite's rule",
    cases=[dict(mean=mean, x=x, var=var) for mean, x in ((0.3, 1.0), (-1.0, 0.5)) for var in (1e-3, 1e-4)],
    relative=False,
    tolerance=0.02,
    reject_at=0.4,
)
def reconstruction_of_an_autoencoder(draw, mean, x, var):
    nodes, w = normal_nodes(1, 12)

    def excess(var):
        z = draw(np.full_like(nodes, mean), var, nodes)[:, 0]
        return w @ (x - np.sin(2 * z)) ** 2 - (x - np.sin(2 * mean)) ** 2

    return np.log2(abs(excess(2 * var) / excess(var))), 1.0


@mutant("variance", of="TAX-8/reconstruction", why="mean + var eps: a variance used as a std")
def draw_with_variance(mean, var, eps):
    return mean + var * eps


@mutant("one-sided", of="TAX-8/reconstruction", why="noise that is not centred: a slope of order std is left")
def draw_of_one_side(mean, var, eps):
    return mean + np.sqrt(var) * abs(eps)


@equation(
    "TAX-8/divergence",
    title="with ever less variance the bound falls without limit",
    formula=latent.kl_to_prior,
    latex=r"D_{KL}(N(\mu,\sigma^2)\Vert N(0,I))\ge-\sum_i\log\sigma_i-\tfrac k2\to\infty\quad(\sigma\to0)",
    sources=[FROM_CODE_TO_DRAW, KINGMA_2014("appendix B")],
    evidence="algebra",
    how="what the variance and the mean's square add, left out; stds down to 1e-6",
    given=rungs(
        lambda k: together(
            mean=points(k), std=st.lists(positives(1e-6, 1), min_size=k, max_size=k).map(np.array)
        ),
        1,
        2,
    ),
    relation="<=",
    relative=False,
    tolerance=1e-10,
    tolerance32=1e-3,
    examples=40,
)
def divergence_has_no_limit(kl_to_prior, mean, std):
    return -kl_to_prior(mean, std**2), np.sum(np.log(std)) + 0.5 * len(mean)


@mutant("no-logarithm", of="TAX-8/divergence", why="a penalty on mean and variance alone: finite at std 0")
def divergence_without_logarithm(mean, var):
    return 0.5 * np.sum(mean**2 + var, axis=-1)


@mutant("log-std", of="TAX-8/divergence", why="log of the std where that of the variance belongs")
def divergence_with_half_logarithm(mean, var):
    return 0.5 * np.sum(mean**2 + var - 1 - 0.5 * np.log(var), axis=-1)


definition(
    "TAX-8",
    title="an autoencoder's latent code is fixed, a variational one's is drawn",
    latex=r"z=\mu(x)\quad\text{against}\quad z\sim q(z|x)=N(\mu(x),\sigma^2(x)),\ \sigma>0",
    sources=[FROM_CODE_TO_DRAW],
    shown_by=[
        "TAX-8/reconstruction",
        "TAX-8/divergence",
        "ELBO-8/diagonal",
        "tests/formulas/test_latent.py::test_no_variance_is_an_autoencoder",
    ],
    module=__name__,
)
