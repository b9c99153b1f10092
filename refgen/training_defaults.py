"""The usual settings of a training, in a file that imports nothing, for the command line's help."""

__all__ = ["BATCH", "COOL", "EMA", "LR", "STEPS"]

STEPS = 10_000  # 3000 for a quick look
BATCH = 512
LR = 2e-3  # Adam's learning rate
EMA = 0.999  # what a step keeps of the moving average that is sampled
COOL = 0.0  # last fraction of the steps over which the learning rate falls to zero
