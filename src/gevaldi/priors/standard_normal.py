"""The standard normal distribution."""

import torch

from gevaldi.priors.gaussian import Gaussian


def standard_normal(*shape: int) -> Gaussian:
    """Standard normal N(0, I), the prior of most VAEs and flows. Distance from the centre is |z|.

    It is seldom where a plain VAE's *data* lie: pictures drawn from it are worse than reconstructions.
    """
    return Gaussian(torch.zeros(shape))
