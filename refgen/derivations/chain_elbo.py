"""Cards of the two forms of the diffusion ELBO on discrete chains, by sums over all paths (DELBO)."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from refgen.cards import definition, equation, misprint, mutant
from refgen.cards.strategies import chains
from refgen.derivations.chain import all_paths, elbo_over_paths, marginal_of_paths, posteriors_of_paths
from refgen.formulas import chain, elbo
from refgen.sources import HO_2020, KIM, LUO_2022, SJTU

# T = 1 last: it is an edge for the formulas, and hides most slips.
LONGER_FIRST = [*chains(smallest_T=2), chains()[0]]


# ---- DELBO-4
@equation(
    "DELBO-4/chain",
    title="ELBO, consistency form, discrete chain",
    formula=chain.consistency_elbo,
    latex=r"ELBO = E[\log p(x_0|x_1)] - E[D_{KL}(q(x_T|x_{T-1})\Vert p(x_T))] "
    r"- \sum_{t=1}^{T-1} E_{q(x_{t-1},x_t,x_{t+1}|x_0)}[\log q(x_t|x_{t-1})/p(x_t|x_{t+1})]",
    sources=[KIM("'Diffusion Model', consistency term"), LUO_2022("eq. 45")],
    evidence="chain",
    how="the defining expectation, summed over every path of a discrete chain",
    given=chains(smallest_T=2),
    tolerance=1e-11,
    examples=50,
)
def consistency_form_is_the_elbo(consistency_elbo, forward, reverse, prior, x_0):
    return consistency_elbo(forward, reverse, prior, x_0), *elbo_over_paths(forward, reverse, prior, x_0)


@misprint(
    "ERR-3",
    of="DELBO-4/chain",
    printed=r"\sum_{t=1}^{T-1}E_{q(x_{t-1},x_{t+1}|x_0)}[D_{KL}(q(x_t|x_{t-1})\Vert p(x_t|x_{t+1}))]",
    correct=r"\sum_{t=1}^{T-1}E_{q(x_{t-1},x_t,x_{t+1}|x_0)}[\log q(x_t|x_{t-1})/p(x_t|x_{t+1})]",
    source=KIM("'Diffusion Model', consistency term; the same in Luo 2022, eq. 45"),
    why="given x_{t-1}, x_t and x_{t+1} are dependent under q; a KL averaged over (x_{t-1}, x_{t+1}) "
    "replaces their joint law by a product",
)
def consistency_elbo_with_kl(forward, reverse, prior, x_0):
    q = chain.marginals(forward, x_0)
    total = chain.consistency_elbo(forward, reverse, prior, x_0)
    total += sum(chain.consistency_terms(forward, reverse, x_0))
    for t in range(1, len(forward)):
        outer = q[t - 1][:, None] * (forward[t - 1] @ forward[t])  # q(x_{t-1}, x_{t+1} | x_0)
        ratio = np.log(forward[t - 1])[:, None, :] - np.log(reverse[t])[None, :, :]
        kl = np.sum(forward[t - 1][:, None, :] * ratio, axis=-1)
        total -= np.sum(outer * kl)
    return total


@mutant(
    "prior-term",
    of="DELBO-4/chain",
    why="the prior term 'mended' to KL(q(x_T|x_0) || p(x_T)); it is right as printed",
)
def consistency_elbo_with_other_prior_term(forward, reverse, prior, x_0):
    q = chain.marginals(forward, x_0)
    right = q[-2] @ np.sum(forward[-1] * np.log(forward[-1] / prior), -1)
    other = q[-1] @ np.log(q[-1] / prior)
    return chain.consistency_elbo(forward, reverse, prior, x_0) + right - other


# ---- DELBO-7
@equation(
    "DELBO-7/chain",
    title="ELBO, denoising form, discrete chain",
    formula=chain.denoising_elbo,
    latex=r"ELBO = E[\log p(x_0|x_1)] - D_{KL}(q(x_T|x_0)\Vert p(x_T))"
    r" - \sum_{t=2}^T E_{q(x_t|x_0)}[D_{KL}(q(x_{t-1}|x_t,x_0)\Vert p(x_{t-1}|x_t))]",
    sources=[HO_2020("eq. 5"), LUO_2022("eq. 58"), KIM("'Diffusion Model'"), SJTU("slides 21 to 23")],
    evidence="chain",
    how="the defining expectation, summed over every path of a discrete chain",
    given=LONGER_FIRST,
    tolerance=1e-11,
    examples=50,
)
def denoising_form_is_the_elbo(denoising_elbo, forward, reverse, prior, x_0):
    return denoising_elbo(forward, reverse, prior, x_0), *elbo_over_paths(forward, reverse, prior, x_0)


@misprint(
    "ERR-20",
    of="DELBO-7/chain",
    printed=r"L = E_q[D_{KL}(q(x_T|x_0)\Vert p(x_T))]+\sum_{t=2}^TD_{KL}(q(x_{t-1}|x_t,x_0)\Vert "
    r"p(x_{t-1}|x_t))-\log p(x_0|x_1)",
    correct=r"L = E_q[L_T+\sum_{t=2}^TL_{t-1}+L_0]",
    source=SJTU("slides 21, 22 and 23"),
    why="the expectation closes after L_T, so the rest depends on x_1..x_T, which nothing binds; here they "
    "are the likeliest states of q",
)
def elbo_with_expectation_closed_early(forward, reverse, prior, x_0):
    q = chain.marginals(forward, x_0)
    likeliest = [int(np.argmax(q_t)) for q_t in q]
    total = np.log(reverse[0])[likeliest[1], x_0] - np.sum(q[-1] * np.log(q[-1] / prior))
    for t in range(2, len(forward) + 1):
        row = chain.posterior(forward, x_0, t)[likeliest[t]]
        total = total - np.sum(row * np.log(row / reverse[t - 1][likeliest[t]]))
    return total


@misprint(
    "ERR-21",
    of="DELBO-7/chain",
    printed=r"\sum_{t=2}^T\underbrace{D_{KL}(\cdot)-\log p(x_0|x_1)}_{L_{t-1}}+\underbrace{-\log "
    r"p(x_0|x_1)}_{L_0}",
    correct=r"\sum_{t=2}^T\underbrace{D_{KL}(\cdot)}_{L_{t-1}}+\underbrace{-\log p(x_0|x_1)}_{L_0}",
    source=SJTU("slide 22"),
    why="L_0 stands inside the sum as well and is counted T times; slides 21 and 23 are right in this",
)
def elbo_with_l_0_in_the_sum(forward, reverse, prior, x_0):
    copies = (len(forward) - 1) * chain.reconstruction(forward, reverse, x_0)
    return chain.denoising_elbo(forward, reverse, prior, x_0) + copies


@mutant(
    "reversed", of="DELBO-7/chain", why="KL(p || q): the divergence of the reverse step from the posterior"
)
def elbo_with_reversed_kl(forward, reverse, prior, x_0):
    q, total = chain.marginals(forward, x_0), chain.denoising_elbo(forward, reverse, prior, x_0)
    total = total + sum(chain.denoising_terms(forward, reverse, x_0))
    for t in range(2, len(forward) + 1):
        table = chain.posterior(forward, x_0, t)
        total = total - q[t] @ np.sum(reverse[t - 1] * np.log(reverse[t - 1] / table), -1)
    return total


# ---- DELBO-8
@equation(
    "DELBO-8",
    title="consistency form = denoising form",
    formula=chain.consistency_elbo,
    latex=r"\text{consistency form} = \text{denoising form} = ELBO",
    sources=[KIM("'Diffusion Model', the last two lines of the ELBO")],
    evidence="chain",
    how="the sum over every path, and the denoising form with posteriors and marginals counted over paths",
    given=chains(smallest_T=2),
    tolerance=1e-11,
    examples=50,
)
def both_forms_agree(consistency_elbo, forward, reverse, prior, x_0):
    elbo_of_paths, scale = elbo_over_paths(forward, reverse, prior, x_0)
    states, q = all_paths(forward, x_0)
    T, K = forward.shape[:2]
    q_t = [marginal_of_paths(states, q, t, K) for t in range(T + 1)]
    denoising = q @ np.log(reverse[0][states[1], x_0]) - q_t[T] @ np.log(q_t[T] / prior)
    for t, table in enumerate(posteriors_of_paths(forward, x_0), start=2):
        denoising -= q_t[t] @ np.sum(table * np.log(table / reverse[t - 1]), axis=1)
    claimed = consistency_elbo(forward, reverse, prior, x_0)
    return np.stack([claimed, claimed]), np.array([elbo_of_paths, denoising]), scale


misprint(
    "ERR-3/forms",
    of="DELBO-8",
    printed=r"\text{the two lines as they stand on the slide, with '='}",
    correct=r"\text{equal once the consistency term is mended}",
    source=KIM("'Diffusion Model', the last two lines of the ELBO"),
    why="the first of the two lines is not the ELBO as printed, so it cannot equal the second",
)(consistency_elbo_with_kl)


definition(
    "DELBO-8/variances",
    title="which one-sample estimator varies less",
    latex=r"\mathrm{Var}\log\frac{q(x_{1:T}\mid x_0)}{p(x_{0:T})}\ \text{against that of the denoising form}",
    sources=[KIM("'Diffusion Model', the last two lines of the ELBO")],
    shown_by=[],
    how="reported and not judged: either can be the smaller; exact variances on Gaussian chains are in "
    "refgen.experiments.consistency_form",
    kind="reported",
    module=__name__,
)


# ---- DELBO-13, discrete
@equation(
    "DELBO-13/discrete",
    title="reconstruction term of discrete data is a KL",
    formula=chain.reconstruction,
    latex=r"E_q[-\log p(x_0\mid x_1)] = E_q[D_{KL}(q(x_0\mid x_1,x_0)\Vert p(x_0\mid x_1))]\quad(x_0\text{ "
    r"discrete})",
    sources=[SJTU("slide 23")],
    evidence="chain",
    how="for every x_1, the divergence of the law of x_0 given x_0, which is certain",
    given=chains(),
    tolerance=1e-12,
    examples=50,
)
def certain_data_diverge_by_minus_log(reconstruction, forward, reverse, prior, x_0):
    certain = np.eye(forward.shape[-1])[x_0]
    states, q = all_paths(forward, x_0)
    weights = marginal_of_paths(states, q, 1, len(certain))
    terms = [np.sum(certain[certain > 0] * np.log(certain / row)[certain > 0]) for row in reverse[0]]
    return -reconstruction(forward, reverse, x_0), weights @ np.array(terms)


@mutant("transposed", of="DELBO-13/discrete", why="log p read at (x_0, x_1): the row of x_0, not its column")
def reconstruction_transposed(forward, reverse, x_0):
    return forward[0][x_0] @ np.log(reverse[0][x_0])


# ---- DELBO-15
@equation(
    "DELBO-15/terms",
    title="T - 1 consistency terms",
    formula=chain.consistency_terms,
    latex=r"\#\{t: 1\le t\le T-1\} = T-1",
    sources=[KIM("'Diffusion Model', the cost of the third term")],
    kind="claim",
    evidence="chain",
    how="the states of a path that have one before them and one after them",
    given=chains(),
    examples=20,
)
def consistency_sum_has_one_term_less(consistency_terms, forward, reverse, prior, x_0):
    states, _ = all_paths(forward, x_0)
    inner = len(states[1:-1])
    return len(consistency_terms(forward, reverse, x_0)), inner


@mutant(
    "T-times",
    of="DELBO-15/terms",
    why="'has to be calculated T times', as the slide says of the sum from 1 to T - 1",
)
def terms_counted_T_times(forward, reverse, x_0):
    return [0.0] * len(forward)


@equation(
    "DELBO-15/denoising",
    title="T - 1 denoising terms",
    formula=chain.denoising_terms,
    latex=r"\#\{t: 2\le t\le T\} = T-1",
    sources=[KIM("'Diffusion Model', the cost of the third term"), HO_2020("eq. 5")],
    kind="claim",
    evidence="chain",
    how="the steps of a path between two states that are both noisy",
    given=chains(),
    examples=20,
)
def denoising_sum_has_one_term_less(denoising_terms, forward, reverse, prior, x_0):
    states, _ = all_paths(forward, x_0)
    steps = list(pairwise(states[1:]))
    return len(denoising_terms(forward, reverse, x_0)), len(steps)


@mutant("from-1", of="DELBO-15/denoising", why="the sum begun at t = 1, whose term is the reconstruction's")
def denoising_terms_from_1(forward, reverse, x_0):
    first = -chain.reconstruction(forward, reverse, x_0)
    return [first, *chain.denoising_terms(forward, reverse, x_0)]


@equation(
    "DELBO-15/uniform",
    title="one uniform t per datum is unbiased",
    formula=elbo.one_term_estimate,
    latex=r"E_{t\sim U\{1..T\}}[T\cdot L_{t-1}] = \sum_{t=1}^TL_{t-1} = L-L_T",
    sources=[HO_2020("algorithm 1"), KIM("'Diffusion Model', the cost of the third term")],
    evidence="chain",
    how="minus the ELBO over every path, less the divergence of the last state's law from the prior",
    given=LONGER_FIRST,
    tolerance=1e-11,
    examples=50,
)
def one_time_each_is_unbiased(one_term_estimate, forward, reverse, prior, x_0):
    T, K = forward.shape[:2]
    terms = np.array(
        [-chain.reconstruction(forward, reverse, x_0), *chain.denoising_terms(forward, reverse, x_0)]
    )
    claimed = np.mean([one_term_estimate(terms, t) for t in range(1, T + 1)])
    total, scale = elbo_over_paths(forward, reverse, prior, x_0)
    states, q = all_paths(forward, x_0)
    last = marginal_of_paths(states, q, T, K)
    return claimed, -total - last @ np.log(last / prior), scale


@mutant(
    "mean-for-sum", of="DELBO-15/uniform", why="the factor T left out: the mean of the terms, not their sum"
)
def estimate_without_count(terms, t):
    return terms[t - 1]


@mutant(
    "T-minus-1",
    of="DELBO-15/uniform",
    why="the number of denoising terms, T - 1, for the number of times t can be",
)
def estimate_with_denoising_count(terms, t):
    return (len(terms) - 1) * terms[t - 1]
