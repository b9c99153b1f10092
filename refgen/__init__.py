"""refgen: the executable reference for generative models on NumPy or CuPy arrays."""

__version__ = "0.1.0"
