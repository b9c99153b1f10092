"""Papers on flows: layers, neural ODEs, flow matching."""

from __future__ import annotations

from refgen.sources.source import Source

__all__ = [
    "ALBERGO_2023",
    "CHEN_2018",
    "DINH_2017",
    "DURKAN_2019",
    "GREGORY_1982",
    "LIPMAN_2023",
    "LIU_2023",
    "PAPAMAKARIOS_2021",
    "POOLADIAN_2023",
    "REZENDE_2015",
    "TONG_2024",
]

REZENDE_2015 = Source(
    "Rezende & Mohamed 2015", "Variational Inference with Normalizing Flows", "ICML 2015, arXiv:1505.05770"
)
DINH_2017 = Source("Dinh et al. 2017", "Density Estimation Using Real NVP", "ICLR 2017, arXiv:1605.08803")
DURKAN_2019 = Source("Durkan et al. 2019", "Neural Spline Flows", "NeurIPS 2019, arXiv:1906.04032")
GREGORY_1982 = Source(
    "Gregory & Delbourgo 1982",
    "Piecewise Rational Quadratic Interpolation to Monotonic Data",
    "IMA Journal of Numerical Analysis 2 (2)",
)
PAPAMAKARIOS_2021 = Source(
    "Papamakarios et al. 2021",
    "Normalizing Flows for Probabilistic Modeling and Inference",
    "Journal of Machine Learning Research 22, arXiv:1912.02762",
)
CHEN_2018 = Source(
    "Chen et al. 2018", "Neural Ordinary Differential Equations", "NeurIPS 2018, arXiv:1806.07366"
)
LIPMAN_2023 = Source(
    "Lipman et al. 2023", "Flow Matching for Generative Modeling", "ICLR 2023, arXiv:2210.02747"
)
LIU_2023 = Source(
    "Liu et al. 2023",
    "Flow Straight and Fast: Learning to Generate and Transfer Data with Rectified Flow",
    "ICLR 2023, arXiv:2209.03003",
)
ALBERGO_2023 = Source(
    "Albergo & Vanden-Eijnden 2023",
    "Building Normalizing Flows with Stochastic Interpolants",
    "ICLR 2023, arXiv:2209.15571",
)
TONG_2024 = Source(
    "Tong et al. 2024",
    "Improving and Generalizing Flow-Based Generative Models with Minibatch Optimal Transport",
    "TMLR 2024, arXiv:2302.00482",
)
POOLADIAN_2023 = Source(
    "Pooladian et al. 2023",
    "Multisample Flow Matching: Straightening Flows with Minibatch Couplings",
    "ICML 2023, arXiv:2304.14772",
)
