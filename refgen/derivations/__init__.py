"""The evidence: one card for each fact, an independent derivation, and the wrong forms that it rejects."""

__all__ = ["TOPICS"]

# The topics in the order in which one builds on the other, by the letters of their IDs.
TOPICS = {
    "GAU": "Gaussian identities and divergences",
    "ELBO": "The evidence lower bound of a latent variable",
    "HVAE": "Hierarchies of latent variables",
    "FLOW": "Determinants, the change of variables, normalizing flows",
    "FWD": "The forward process of diffusion",
    "POST": "The posterior of a reverse step",
    "DELBO": "The evidence lower bound of diffusion",
    "PAR": "Noise, clean data, score, velocity: the parametrisations",
    "SNR": "The signal-to-noise ratio",
    "TWE": "Tweedie's formula",
    "EBM": "Energies, the normalising constant and the score",
    "NCE": "Noise-contrastive estimation",
    "GAN": "Generative adversarial networks",
    "SM": "Score matching: explicit and implicit",
    "SSM": "Sliced score matching and Hutchinson's trace",
    "DSM": "Denoising score matching",
    "LAN": "Langevin dynamics",
    "NCSN": "Scores at many noise levels, annealed Langevin dynamics",
    "DDPM": "DDPM: training, sampling, variances",
    "GUIDE": "Guidance: conditional sampling, by a classifier and without",
    "FM": "Flow matching along straight lines",
    "SDE": "Continuous time: stochastic differential equations, reverse and flow",
    "EDM": "The design of EDM: preconditioning, levels, Heun steps, churn",
    "SYS": "What is claimed of whole systems",
    "TAX": "What the families of models have and lack",
}
