"""Papers on diffusion: the chain, its SDE, fast samplers, guidance."""

from __future__ import annotations

from refgen.sources.source import Source

__all__ = [
    "ANDERSON_1982",
    "BAO_2022",
    "BRADLEY_2024",
    "DHARIWAL_2021",
    "GARDINER_2009",
    "HANG_2023",
    "HO_2020",
    "HO_2022",
    "KARRAS_2022",
    "KINGMA_2021",
    "LUO_2022",
    "LU_2022",
    "LU_2022_MULTISTEP",
    "NICHOL_2021",
    "SALIMANS_2022",
    "SOHL_DICKSTEIN_2015",
    "SONG_2021",
    "SONG_2021_LIKELIHOOD",
    "SONG_MENG_2021",
]

SOHL_DICKSTEIN_2015 = Source(
    "Sohl-Dickstein et al. 2015",
    "Deep Unsupervised Learning using Nonequilibrium Thermodynamics",
    "ICML 2015, arXiv:1503.03585",
)
HO_2020 = Source(
    "Ho et al. 2020", "Denoising Diffusion Probabilistic Models", "NeurIPS 2020, arXiv:2006.11239"
)
NICHOL_2021 = Source(
    "Nichol & Dhariwal 2021",
    "Improved Denoising Diffusion Probabilistic Models",
    "ICML 2021, arXiv:2102.09672",
)
KINGMA_2021 = Source("Kingma et al. 2021", "Variational Diffusion Models", "NeurIPS 2021, arXiv:2107.00630")
LUO_2022 = Source("Luo 2022", "Understanding Diffusion Models: A Unified Perspective", "arXiv:2208.11970")
HANG_2023 = Source(
    "Hang et al. 2023",
    "Efficient Diffusion Training via Min-SNR Weighting Strategy",
    "ICCV 2023, arXiv:2303.09556",
)
SALIMANS_2022 = Source(
    "Salimans & Ho 2022",
    "Progressive Distillation for Fast Sampling of Diffusion Models",
    "ICLR 2022, arXiv:2202.00512",
)
ANDERSON_1982 = Source(
    "Anderson 1982",
    "Reverse-Time Diffusion Equation Models",
    "Stochastic Processes and their Applications 12 (3)",
)
GARDINER_2009 = Source(
    "Gardiner 2009", "Stochastic Methods: A Handbook for the Natural and Social Sciences", "Springer"
)
SONG_2021 = Source(
    "Song et al. 2021",
    "Score-Based Generative Modeling through Stochastic Differential Equations",
    "ICLR 2021, arXiv:2011.13456",
)
SONG_2021_LIKELIHOOD = Source(
    "Song et al. 2021 (likelihood)",
    "Maximum Likelihood Training of Score-Based Diffusion Models",
    "NeurIPS 2021, arXiv:2101.09258",
)
KARRAS_2022 = Source(
    "Karras et al. 2022",
    "Elucidating the Design Space of Diffusion-Based Generative Models",
    "NeurIPS 2022, arXiv:2206.00364",
)
SONG_MENG_2021 = Source(
    "Song, Meng & Ermon 2021", "Denoising Diffusion Implicit Models", "ICLR 2021, arXiv:2010.02502"
)
LU_2022 = Source(
    "Lu et al. 2022 (DPM-Solver)",
    "DPM-Solver: A Fast ODE Solver for Diffusion Probabilistic Model Sampling in Around 10 Steps",
    "NeurIPS 2022, arXiv:2206.00927",
)
LU_2022_MULTISTEP = Source(
    "Lu et al. 2022 (DPM-Solver++)",
    "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models",
    "arXiv:2211.01095",
)
BAO_2022 = Source(
    "Bao et al. 2022",
    "Analytic-DPM: an Analytic Estimate of the Optimal Reverse Variance in Diffusion Probabilistic Models",
    "ICLR 2022, arXiv:2201.06503",
)
DHARIWAL_2021 = Source(
    "Dhariwal & Nichol 2021",
    "Diffusion Models Beat GANs on Image Synthesis",
    "NeurIPS 2021, arXiv:2105.05233",
)
HO_2022 = Source("Ho & Salimans 2022", "Classifier-Free Diffusion Guidance", "arXiv:2207.12598")
BRADLEY_2024 = Source(
    "Bradley & Nakkiran 2024", "Classifier-Free Guidance is a Predictor-Corrector", "arXiv:2408.09000"
)
