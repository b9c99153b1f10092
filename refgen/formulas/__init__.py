"""The reference: every formula once, as a pure function of arrays, in plain NumPy."""

import refgen.autodiff  # noqa: F401  so that formulas are differentiated in float32 and on a device
