import refgen.autodiff  # noqa: F401  so that nets are differentiated in float32 and on a device
