"""The standard normal distribution."""

import torch

from gevaldi.priors.gaussian import Gaussian


def standard_normal(*shape: int) -> Gaussian:
    """Standard normal N(0, I), the prior of most VAEs and flows. The distance from the centre is |z|.

    The encoded *data* of a plain VAE are seldom distributed like this: draws from it look worse than reconstructions.
    """
    return Gaussian(torch.zeros(shape))
