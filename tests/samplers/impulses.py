"""A stream that shows what an affine sampler does with the noise of each of its steps."""

import numpy as np

__all__ = ["Impulses"]


class Impulses:
    """A stream for an affine sampler: row i of n gets noise 1 at the i-th step and 0 at all others."""

    def __init__(self):
        self.step = 0

    def normal(self, count, n, d, dtype):
        drawn = np.zeros((count, n, d), dtype)
        for block in drawn:
            self.step += 1
            block[self.step] = 1
        return drawn
