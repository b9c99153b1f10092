"""The reference: every formula once, as a pure function of arrays, in plain NumPy."""
