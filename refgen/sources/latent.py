"""Papers on latent variables and on models of one coordinate after another."""

from __future__ import annotations

from refgen.sources.source import Source

__all__ = ["BENGIO_2000", "BURDA_2016", "GERMAIN_2015", "KINGMA_2014", "OORD_2016", "TIPPING_1999"]

KINGMA_2014 = Source("Kingma & Welling 2014", "Auto-Encoding Variational Bayes", "ICLR 2014, arXiv:1312.6114")
BURDA_2016 = Source("Burda et al. 2016", "Importance Weighted Autoencoders", "ICLR 2016, arXiv:1509.00519")
TIPPING_1999 = Source(
    "Tipping & Bishop 1999",
    "Probabilistic Principal Component Analysis",
    "Journal of the Royal Statistical Society B 61 (3)",
)
BENGIO_2000 = Source(
    "Bengio & Bengio 2000",
    "Modeling High-Dimensional Discrete Data with Multi-Layer Neural Networks",
    "NeurIPS 1999, in Advances 12, 2000",
)
OORD_2016 = Source(
    "van den Oord et al. 2016", "Pixel Recurrent Neural Networks", "ICML 2016, arXiv:1601.06759"
)
GERMAIN_2015 = Source(
    "Germain et al. 2015",
    "MADE: Masked Autoencoder for Distribution Estimation",
    "ICML 2015, arXiv:1502.03509",
)
