"""Small networks, in a module that a new process loads without those of the tests."""

import torch
from torch import nn

import gevaldi


def small_classifier(seed: int = 0, classes: int = 3) -> gevaldi.Classifier:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Tanh(), nn.Linear(16, classes))
        with torch.no_grad():
            net[-1].weight.mul_(6)
    return gevaldi.classifier(net, labels=classes).eval()


def small_generator(conditions: int = 3) -> gevaldi.Generator:
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return gevaldi.generator(SmallDecoder(conditions), latent=5, conditions=conditions).eval()


class SmallDecoder(nn.Module):
    def __init__(self, conditions: int) -> None:
        super().__init__()
        self.shift = nn.Embedding(max(conditions, 1), 64)
        self.decode = nn.Linear(5, 64)

    def forward(self, z: torch.Tensor, condition: torch.Tensor | None = None) -> torch.Tensor:
        shift = 0 if condition is None else self.shift(condition)
        return (self.decode(z) + shift).sigmoid().view(-1, 1, 8, 8)
