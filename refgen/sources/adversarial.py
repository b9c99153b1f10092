"""Papers on generators and discriminators."""

from __future__ import annotations

from refgen.sources.source import Source

__all__ = ["ARJOVSKY_2017", "ARJOVSKY_2017_WGAN", "GOODFELLOW_2014", "GULRAJANI_2017", "MESCHEDER_2018"]

GOODFELLOW_2014 = Source(
    "Goodfellow et al. 2014", "Generative Adversarial Nets", "NeurIPS 2014, arXiv:1406.2661"
)
ARJOVSKY_2017 = Source(
    "Arjovsky & Bottou 2017",
    "Towards Principled Methods for Training Generative Adversarial Networks",
    "ICLR 2017, arXiv:1701.04862",
)
ARJOVSKY_2017_WGAN = Source("Arjovsky et al. 2017", "Wasserstein GAN", "ICML 2017, arXiv:1701.07875")
GULRAJANI_2017 = Source(
    "Gulrajani et al. 2017", "Improved Training of Wasserstein GANs", "NeurIPS 2017, arXiv:1704.00028"
)
MESCHEDER_2018 = Source(
    "Mescheder et al. 2018",
    "Which Training Methods for GANs do actually Converge?",
    "ICML 2018, arXiv:1801.04406",
)
