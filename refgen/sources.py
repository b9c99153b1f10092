"""The bibliography: every source once, with its title and where it is found.

A source is called with the place inside it: `HO_2020("eq. 7")` is the citation that cards carry.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ALBERGO_2023",
    "ANDERSON_1982",
    "ARJOVSKY_2017",
    "ARJOVSKY_2017_WGAN",
    "BAO_2022",
    "BENGIO_2000",
    "BISHOP_2006",
    "BRADLEY_2024",
    "BURDA_2016",
    "CHEN_2018",
    "CS167",
    "DHARIWAL_2021",
    "DINH_2017",
    "DURKAN_2019",
    "EFRON_2011",
    "FIELD",
    "GARDINER_2009",
    "GERMAIN_2015",
    "GOODFELLOW_2014",
    "GREGORY_1982",
    "GULRAJANI_2017",
    "GUTMANN_2010",
    "GUTMANN_2012",
    "HANG_2023",
    "HO_2020",
    "HO_2022",
    "HUTCHINSON_1989",
    "ISACHENKO",
    "KARRAS_2022",
    "KIM",
    "KINGMA_2014",
    "KINGMA_2021",
    "LEIMKUHLER_2013",
    "LIN_1991",
    "LIPMAN_2023",
    "LIU_2023",
    "LUO_2022",
    "LU_2022",
    "LU_2022_MULTISTEP",
    "MESCHEDER_2018",
    "NICHOL_2021",
    "OORD_2016",
    "PAPAMAKARIOS_2021",
    "POOLADIAN_2023",
    "REZENDE_2015",
    "ROBERTS_1996",
    "SALIMANS_2022",
    "SHANNON_1948",
    "SJTU",
    "SOHL_DICKSTEIN_2015",
    "SONG_2019",
    "SONG_2019_SLICED",
    "SONG_2020",
    "SONG_2021",
    "SONG_2021_LIKELIHOOD",
    "SONG_KINGMA_2021",
    "SONG_MENG_2021",
    "SONG_NOTES",
    "SOURCES",
    "TIPPING_1999",
    "TONG_2024",
    "VALIANT_1979",
    "VINCENT_2011",
    "Citation",
    "Source",
]


@dataclass(frozen=True)
class Citation:
    """One place in one source."""

    source: Source
    where: str

    def __str__(self) -> str:
        return f"{self.source.short}, {self.where}" if self.where else self.source.short


@dataclass(frozen=True)
class Source:
    """A paper, a lecture or a program: how it is cited in a line, its title, and where it is found."""

    short: str
    title: str
    found: str

    def __call__(self, where: str = "") -> Citation:
        return Citation(self, where)


SOURCES: dict[str, Source] = {}


def _source(key: str, short: str, title: str, found: str) -> Source:
    SOURCES[key] = Source(short, title, found)
    return SOURCES[key]


# The five lectures.
KIM = _source(
    "KIM",
    "Kim",
    "Kim Seung Hwan, Generative Models & Determining Trained",
    "lecture slides, cited by slide title",
)
SJTU = _source(
    "SJTU",
    "SJTU tutorial",
    "SJTU m.i.n, A Tutorial on Generative Models, 2024-06-07",
    "lecture slides, cited by slide",
)
SONG_NOTES = _source(
    "SONG_NOTES",
    "Dong-A notes",
    "Dong-A University notes on Yang Song, Diffusion and Score-Based Generative Models",
    "lecture notes with transcript, cited by section",
)
ISACHENKO = _source(
    "ISACHENKO",
    "Isachenko",
    "Isachenko, Deep Generative Models, lecture 14",
    "lecture slides, cited by slide title",
)
CS167 = _source(
    "CS167", "CS167", "CS167, Generative Modeling: Diffusion", "lecture slides, cited by slide title"
)

# Papers.
HO_2020 = _source(
    "HO_2020", "Ho et al. 2020", "Denoising Diffusion Probabilistic Models", "NeurIPS 2020, arXiv:2006.11239"
)
SOHL_DICKSTEIN_2015 = _source(
    "SOHL_DICKSTEIN_2015",
    "Sohl-Dickstein et al. 2015",
    "Deep Unsupervised Learning using Nonequilibrium Thermodynamics",
    "ICML 2015, arXiv:1503.03585",
)
LUO_2022 = _source(
    "LUO_2022", "Luo 2022", "Understanding Diffusion Models: A Unified Perspective", "arXiv:2208.11970"
)
NICHOL_2021 = _source(
    "NICHOL_2021",
    "Nichol & Dhariwal 2021",
    "Improved Denoising Diffusion Probabilistic Models",
    "ICML 2021, arXiv:2102.09672",
)
KINGMA_2021 = _source(
    "KINGMA_2021", "Kingma et al. 2021", "Variational Diffusion Models", "NeurIPS 2021, arXiv:2107.00630"
)
KARRAS_2022 = _source(
    "KARRAS_2022",
    "Karras et al. 2022",
    "Elucidating the Design Space of Diffusion-Based Generative Models",
    "NeurIPS 2022, arXiv:2206.00364",
)
SALIMANS_2022 = _source(
    "SALIMANS_2022",
    "Salimans & Ho 2022",
    "Progressive Distillation for Fast Sampling of Diffusion Models",
    "ICLR 2022, arXiv:2202.00512",
)
SONG_MENG_2021 = _source(
    "SONG_MENG_2021",
    "Song, Meng & Ermon 2021",
    "Denoising Diffusion Implicit Models",
    "ICLR 2021, arXiv:2010.02502",
)
LU_2022 = _source(
    "LU_2022",
    "Lu et al. 2022 (DPM-Solver)",
    "DPM-Solver: A Fast ODE Solver for Diffusion Probabilistic Model Sampling in Around 10 Steps",
    "NeurIPS 2022, arXiv:2206.00927",
)
LU_2022_MULTISTEP = _source(
    "LU_2022_MULTISTEP",
    "Lu et al. 2022 (DPM-Solver++)",
    "DPM-Solver++: Fast Solver for Guided Sampling of Diffusion Probabilistic Models",
    "arXiv:2211.01095",
)
BAO_2022 = _source(
    "BAO_2022",
    "Bao et al. 2022",
    "Analytic-DPM: an Analytic Estimate of the Optimal Reverse Variance in Diffusion Probabilistic Models",
    "ICLR 2022, arXiv:2201.06503",
)
HANG_2023 = _source(
    "HANG_2023",
    "Hang et al. 2023",
    "Efficient Diffusion Training via Min-SNR Weighting Strategy",
    "ICCV 2023, arXiv:2303.09556",
)
SONG_2019 = _source(
    "SONG_2019",
    "Song & Ermon 2019",
    "Generative Modeling by Estimating Gradients of the Data Distribution",
    "NeurIPS 2019, arXiv:1907.05600",
)
SONG_2021 = _source(
    "SONG_2021",
    "Song et al. 2021",
    "Score-Based Generative Modeling through Stochastic Differential Equations",
    "ICLR 2021, arXiv:2011.13456",
)
SONG_2019_SLICED = _source(
    "SONG_2019_SLICED",
    "Song et al. 2019",
    "Sliced Score Matching: A Scalable Approach to Density and Score Estimation",
    "UAI 2019, arXiv:1905.07088",
)
HUTCHINSON_1989 = _source(
    "HUTCHINSON_1989",
    "Hutchinson 1989",
    "A Stochastic Estimator of the Trace of the Influence Matrix for Laplacian Smoothing Splines",
    "Communications in Statistics - Simulation and Computation 18 (3)",
)
SONG_2020 = _source(
    "SONG_2020",
    "Song & Ermon 2020",
    "Improved Techniques for Training Score-Based Generative Models",
    "NeurIPS 2020, arXiv:2006.09011",
)
ROBERTS_1996 = _source(
    "ROBERTS_1996",
    "Roberts & Tweedie 1996",
    "Exponential Convergence of Langevin Distributions and Their Discrete Approximations",
    "Bernoulli 2 (4)",
)
LEIMKUHLER_2013 = _source(
    "LEIMKUHLER_2013",
    "Leimkuhler & Matthews 2013",
    "Rational Construction of Stochastic Numerical Methods for Molecular Sampling",
    "Applied Mathematics Research eXpress 2013 (1)",
)
ANDERSON_1982 = _source(
    "ANDERSON_1982",
    "Anderson 1982",
    "Reverse-Time Diffusion Equation Models",
    "Stochastic Processes and their Applications 12 (3)",
)
GARDINER_2009 = _source(
    "GARDINER_2009",
    "Gardiner 2009",
    "Stochastic Methods: A Handbook for the Natural and Social Sciences",
    "Springer",
)
EFRON_2011 = _source("EFRON_2011", "Efron 2011", "Tweedie's Formula and Selection Bias", "JASA 106 (496)")
VINCENT_2011 = _source(
    "VINCENT_2011",
    "Vincent 2011",
    "A Connection Between Score Matching and Denoising Autoencoders",
    "Neural Computation 23 (7)",
)
HYVARINEN_2005 = _source(
    "HYVARINEN_2005",
    "Hyvarinen 2005",
    "Estimation of Non-Normalized Statistical Models by Score Matching",
    "Journal of Machine Learning Research 6",
)
HINTON_2002 = _source(
    "HINTON_2002",
    "Hinton 2002",
    "Training Products of Experts by Minimizing Contrastive Divergence",
    "Neural Computation 14 (8)",
)
SONG_KINGMA_2021 = _source(
    "SONG_KINGMA_2021", "Song & Kingma 2021", "How to Train Your Energy-Based Models", "arXiv:2101.03288"
)
GUTMANN_2010 = _source(
    "GUTMANN_2010",
    "Gutmann & Hyvarinen 2010",
    "Noise-Contrastive Estimation: A New Estimation Principle for Unnormalized Statistical Models",
    "AISTATS 2010",
)
GUTMANN_2012 = _source(
    "GUTMANN_2012",
    "Gutmann & Hyvarinen 2012",
    "Noise-Contrastive Estimation of Unnormalized Statistical Models, with Applications to Natural Image "
    "Statistics",
    "Journal of Machine Learning Research 13",
)
GOODFELLOW_2014 = _source(
    "GOODFELLOW_2014",
    "Goodfellow et al. 2014",
    "Generative Adversarial Nets",
    "NeurIPS 2014, arXiv:1406.2661",
)
ARJOVSKY_2017 = _source(
    "ARJOVSKY_2017",
    "Arjovsky & Bottou 2017",
    "Towards Principled Methods for Training Generative Adversarial Networks",
    "ICLR 2017, arXiv:1701.04862",
)
ARJOVSKY_2017_WGAN = _source(
    "ARJOVSKY_2017_WGAN", "Arjovsky et al. 2017", "Wasserstein GAN", "ICML 2017, arXiv:1701.07875"
)
GULRAJANI_2017 = _source(
    "GULRAJANI_2017",
    "Gulrajani et al. 2017",
    "Improved Training of Wasserstein GANs",
    "NeurIPS 2017, arXiv:1704.00028",
)
MESCHEDER_2018 = _source(
    "MESCHEDER_2018",
    "Mescheder et al. 2018",
    "Which Training Methods for GANs do actually Converge?",
    "ICML 2018, arXiv:1801.04406",
)
LIN_1991 = _source(
    "LIN_1991",
    "Lin 1991",
    "Divergence Measures Based on the Shannon Entropy",
    "IEEE Transactions on Information Theory 37 (1)",
)
VALIANT_1979 = _source(
    "VALIANT_1979",
    "Valiant 1979",
    "The Complexity of Enumeration and Reliability Problems",
    "SIAM Journal on Computing 8 (3)",
)
REZENDE_2015 = _source(
    "REZENDE_2015",
    "Rezende & Mohamed 2015",
    "Variational Inference with Normalizing Flows",
    "ICML 2015, arXiv:1505.05770",
)
DINH_2017 = _source(
    "DINH_2017", "Dinh et al. 2017", "Density Estimation Using Real NVP", "ICLR 2017, arXiv:1605.08803"
)
DURKAN_2019 = _source(
    "DURKAN_2019", "Durkan et al. 2019", "Neural Spline Flows", "NeurIPS 2019, arXiv:1906.04032"
)
GREGORY_1982 = _source(
    "GREGORY_1982",
    "Gregory & Delbourgo 1982",
    "Piecewise Rational Quadratic Interpolation to Monotonic Data",
    "IMA Journal of Numerical Analysis 2 (2)",
)
PAPAMAKARIOS_2021 = _source(
    "PAPAMAKARIOS_2021",
    "Papamakarios et al. 2021",
    "Normalizing Flows for Probabilistic Modeling and Inference",
    "Journal of Machine Learning Research 22, arXiv:1912.02762",
)
KINGMA_2014 = _source(
    "KINGMA_2014", "Kingma & Welling 2014", "Auto-Encoding Variational Bayes", "ICLR 2014, arXiv:1312.6114"
)
BURDA_2016 = _source(
    "BURDA_2016", "Burda et al. 2016", "Importance Weighted Autoencoders", "ICLR 2016, arXiv:1509.00519"
)
TIPPING_1999 = _source(
    "TIPPING_1999",
    "Tipping & Bishop 1999",
    "Probabilistic Principal Component Analysis",
    "Journal of the Royal Statistical Society B 61 (3)",
)
BENGIO_2000 = _source(
    "BENGIO_2000",
    "Bengio & Bengio 2000",
    "Modeling High-Dimensional Discrete Data with Multi-Layer Neural Networks",
    "NeurIPS 1999, in Advances 12, 2000",
)
OORD_2016 = _source(
    "OORD_2016", "van den Oord et al. 2016", "Pixel Recurrent Neural Networks", "ICML 2016, arXiv:1601.06759"
)
GERMAIN_2015 = _source(
    "GERMAIN_2015",
    "Germain et al. 2015",
    "MADE: Masked Autoencoder for Distribution Estimation",
    "ICML 2015, arXiv:1502.03509",
)
BISHOP_2006 = _source("BISHOP_2006", "Bishop 2006", "Pattern Recognition and Machine Learning", "Springer")
DHARIWAL_2021 = _source(
    "DHARIWAL_2021",
    "Dhariwal & Nichol 2021",
    "Diffusion Models Beat GANs on Image Synthesis",
    "NeurIPS 2021, arXiv:2105.05233",
)
HO_2022 = _source("HO_2022", "Ho & Salimans 2022", "Classifier-Free Diffusion Guidance", "arXiv:2207.12598")
BRADLEY_2024 = _source(
    "BRADLEY_2024",
    "Bradley & Nakkiran 2024",
    "Classifier-Free Guidance is a Predictor-Corrector",
    "arXiv:2408.09000",
)
LIPMAN_2023 = _source(
    "LIPMAN_2023",
    "Lipman et al. 2023",
    "Flow Matching for Generative Modeling",
    "ICLR 2023, arXiv:2210.02747",
)
LIU_2023 = _source(
    "LIU_2023",
    "Liu et al. 2023",
    "Flow Straight and Fast: Learning to Generate and Transfer Data with Rectified Flow",
    "ICLR 2023, arXiv:2209.03003",
)
ALBERGO_2023 = _source(
    "ALBERGO_2023",
    "Albergo & Vanden-Eijnden 2023",
    "Building Normalizing Flows with Stochastic Interpolants",
    "ICLR 2023, arXiv:2209.15571",
)
TONG_2024 = _source(
    "TONG_2024",
    "Tong et al. 2024",
    "Improving and Generalizing Flow-Based Generative Models with Minibatch Optimal Transport",
    "TMLR 2024, arXiv:2302.00482",
)
POOLADIAN_2023 = _source(
    "POOLADIAN_2023",
    "Pooladian et al. 2023",
    "Multisample Flow Matching: Straightening Flows with Minibatch Couplings",
    "ICML 2023, arXiv:2304.14772",
)
CHEN_2018 = _source(
    "CHEN_2018",
    "Chen et al. 2018",
    "Neural Ordinary Differential Equations",
    "NeurIPS 2018, arXiv:1806.07366",
)
SHANNON_1948 = _source(
    "SHANNON_1948",
    "Shannon 1948",
    "A Mathematical Theory of Communication",
    "Bell System Technical Journal 27 (3)",
)
SONG_2021_LIKELIHOOD = _source(
    "SONG_2021_LIKELIHOOD",
    "Song et al. 2021 (likelihood)",
    "Maximum Likelihood Training of Score-Based Diffusion Models",
    "NeurIPS 2021, arXiv:2101.09258",
)
FIELD = _source(
    "FIELD",
    "common slip",
    "Slips that shipped in public programs or are often asked about",
    "collected by refgen",
)
