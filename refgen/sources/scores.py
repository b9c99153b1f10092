"""Papers on scores and energies: score matching, Langevin dynamics, contrasts."""

from __future__ import annotations

from refgen.sources.source import Source

__all__ = [
    "EFRON_2011",
    "GUTMANN_2010",
    "GUTMANN_2012",
    "HINTON_2002",
    "HUTCHINSON_1989",
    "HYVARINEN_2005",
    "LEIMKUHLER_2013",
    "ROBERTS_1996",
    "SONG_2019",
    "SONG_2019_SLICED",
    "SONG_2020",
    "SONG_KINGMA_2021",
    "VINCENT_2011",
]

HYVARINEN_2005 = Source(
    "Hyvarinen 2005",
    "Estimation of Non-Normalized Statistical Models by Score Matching",
    "Journal of Machine Learning Research 6",
)
VINCENT_2011 = Source(
    "Vincent 2011",
    "A Connection Between Score Matching and Denoising Autoencoders",
    "Neural Computation 23 (7)",
)
SONG_2019_SLICED = Source(
    "Song et al. 2019",
    "Sliced Score Matching: A Scalable Approach to Density and Score Estimation",
    "UAI 2019, arXiv:1905.07088",
)
HUTCHINSON_1989 = Source(
    "Hutchinson 1989",
    "A Stochastic Estimator of the Trace of the Influence Matrix for Laplacian Smoothing Splines",
    "Communications in Statistics - Simulation and Computation 18 (3)",
)
SONG_2019 = Source(
    "Song & Ermon 2019",
    "Generative Modeling by Estimating Gradients of the Data Distribution",
    "NeurIPS 2019, arXiv:1907.05600",
)
SONG_2020 = Source(
    "Song & Ermon 2020",
    "Improved Techniques for Training Score-Based Generative Models",
    "NeurIPS 2020, arXiv:2006.09011",
)
EFRON_2011 = Source("Efron 2011", "Tweedie's Formula and Selection Bias", "JASA 106 (496)")
ROBERTS_1996 = Source(
    "Roberts & Tweedie 1996",
    "Exponential Convergence of Langevin Distributions and Their Discrete Approximations",
    "Bernoulli 2 (4)",
)
LEIMKUHLER_2013 = Source(
    "Leimkuhler & Matthews 2013",
    "Rational Construction of Stochastic Numerical Methods for Molecular Sampling",
    "Applied Mathematics Research eXpress 2013 (1)",
)
SONG_KINGMA_2021 = Source("Song & Kingma 2021", "How to Train Your Energy-Based Models", "arXiv:2101.03288")
HINTON_2002 = Source(
    "Hinton 2002",
    "Training Products of Experts by Minimizing Contrastive Divergence",
    "Neural Computation 14 (8)",
)
GUTMANN_2010 = Source(
    "Gutmann & Hyvarinen 2010",
    "Noise-Contrastive Estimation: A New Estimation Principle for Unnormalized Statistical Models",
    "AISTATS 2010",
)
GUTMANN_2012 = Source(
    "Gutmann & Hyvarinen 2012",
    "Noise-Contrastive Estimation of Unnormalized Statistical Models, with Applications to Natural Image "
    "Statistics",
    "Journal of Machine Learning Research 13",
)
