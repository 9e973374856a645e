"""Autoencoders as people write them: latents are the means of what they encode to, or a sentence says which shapes do not fit."""

# ruff: noqa: E501  a line a case

from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.distributions import Bernoulli, Normal

import gevaldi
from gevaldi.errors import SpecError
from gevaldi.generators import load_generator

SIDE, CODE = 8, 5
Pair = namedtuple("Pair", ["mu", "logvar"])


@dataclass
class Output:
    z: Tensor
    mu: Tensor
    log_var: Tensor


class Posterior:
    """As CompVis has it."""

    def __init__(self, mean: Tensor) -> None:
        self.mean, self.parameters = mean, torch.cat([mean, mean], 1)

    def sample(self) -> Tensor:
        return torch.randn_like(self.mean)

    def mode(self) -> Tensor:
        return self.mean


class Autoencoder(nn.Module):
    """A decoder and its exact inverse on what it makes, so that the true latents are known; `shown` is how it takes and gives pictures."""

    def __init__(
        self,
        channels: int,
        encoded: Callable[[Tensor], Any] = lambda z: z,
        decoded: Callable[[Tensor], Any] = lambda x: x,
        flat: bool = False,
        viewed: bool = False,
    ) -> None:
        super().__init__()
        self.channels, self.flat, self.viewed, self.encoded, self.decoded = channels, flat, viewed, encoded, decoded
        self.into, self.out_of = nn.Linear(channels * SIDE * SIDE, CODE), nn.Linear(CODE, channels * SIDE * SIDE)
        with torch.no_grad():
            self.out_of.weight.mul_(0.1)
            self.out_of.bias.fill_(0.5)

    def mean(self, x: Tensor) -> Tensor:
        """The latents that are expected."""
        return self.into(x.flatten(1))

    def encode(self, x: Tensor) -> Any:
        if self.flat:
            assert x.dim() == 2
        elif self.viewed:  # as torch's own example of a VAE
            return self.encoded(self.into(x.view(-1, self.channels * SIDE * SIDE)))
        else:
            assert x.shape[1] == self.channels, f"{self.channels} channels were expected, {x.shape[1]} came"
        return self.encoded(self.mean(x))

    def decode(self, z: Tensor) -> Any:
        x = self.out_of(z)
        return self.decoded(x if self.flat else x.view(-1, self.channels, SIDE, SIDE))


class Parts(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        whole = Autoencoder(3)
        self.encoder = nn.Sequential(nn.Flatten(), whole.into)
        self.decoder = nn.Sequential(whole.out_of, nn.Unflatten(1, (3, SIDE, SIDE)))

    def mean(self, x: Tensor) -> Tensor:
        found: Tensor = self.encoder(x)
        return found


class Half(Autoencoder):
    def __init__(self) -> None:
        super().__init__(3)
        self.half()

    def mean(self, x: Tensor) -> Tensor:
        return super().mean(x.half())


def noisy(z: Tensor) -> Tensor:
    return z + torch.randn_like(z)


def variance(z: Tensor) -> Tensor:
    return z * 0 - 1


FORMS: dict[str, Callable[[], nn.Module]] = {
    "colour": lambda: Autoencoder(3),
    "grey": lambda: Autoencoder(1),
    "grey and flat": lambda: Autoencoder(1, flat=True),
    "colour and flat": lambda: Autoencoder(3, flat=True),
    "grey, made flat by view": lambda: Autoencoder(1, viewed=True),
    "colour, made flat by view": lambda: Autoencoder(3, viewed=True),
    "grey, decoded without channels": lambda: Autoencoder(1, decoded=lambda x: x[:, 0]),
    "decoded flat": lambda: Autoencoder(3, decoded=lambda x: x.flatten(1)),
    "parts called encoder and decoder": Parts,
    "half precision": Half,
    "(mu, logvar)": lambda: Autoencoder(3, lambda z: (z, variance(z))),
    "[mu, logvar]": lambda: Autoencoder(3, lambda z: [z, variance(z)]),
    "grey, flat, (mu, logvar)": lambda: Autoencoder(1, lambda z: (z, variance(z)), flat=True),
    "(z, mu, logvar)": lambda: Autoencoder(3, lambda z: (noisy(z), z, variance(z))),
    "(mu, logvar, z)": lambda: Autoencoder(3, lambda z: (z, variance(z), noisy(z))),
    "((mu, logvar), features)": lambda: Autoencoder(3, lambda z: ((z, variance(z)), [z[:, :2]])),
    "(quantised, loss, (perplexity, indices))": lambda: Autoencoder(
        3, lambda z: (z, z.mean(), (z.mean(), torch.zeros(len(z), 2, dtype=torch.long)))
    ),
    "a named tuple": lambda: Autoencoder(3, lambda z: Pair(z, variance(z))),
    "a mapping": lambda: Autoencoder(3, lambda z: {"logvar": variance(z), "mu": z}),
    "a mapping with a draw": lambda: Autoencoder(3, lambda z: {"z": noisy(z), "mean": z}),
    "a mapping of other names": lambda: Autoencoder(3, lambda z: {"bottleneck": z}),
    "a dataclass": lambda: Autoencoder(3, lambda z: Output(noisy(z), z, variance(z))),
    "torch's distribution": lambda: Autoencoder(3, lambda z: Normal(z, torch.ones_like(z))),
    "a mapping of distributions": lambda: Autoencoder(3, lambda z: {"posterior": Normal(z, torch.ones_like(z))}),
    "a distribution as CompVis has it": lambda: Autoencoder(3, Posterior),
    "decoded to a tuple": lambda: Autoencoder(3, decoded=lambda x: (x, x[:, :1])),
    "decoded to a mapping": lambda: Autoencoder(3, decoded=lambda x: {"z": x[:, 0, 0], "recon": x}),
    "decoded to a distribution": lambda: Autoencoder(3, decoded=lambda x: Bernoulli(x.clamp(0, 1))),
}  # fmt: skip


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    (tmp_path / "pictures").mkdir()
    for i in range(3):
        levels = np.random.default_rng(i).integers(40, 215, (SIDE, SIDE, 3), dtype=np.uint8)
        Image.fromarray(levels).save(tmp_path / "pictures" / f"{i}.png")
    return f"folder:{tmp_path / 'pictures'}"


def around(module: nn.Module, pictures: str, monkeypatch: pytest.MonkeyPatch, more: str = f",size={SIDE}") -> gevaldi.Generator:
    monkeypatch.setattr("gevaldi.generators.autoencoder._own", lambda place: module.eval().requires_grad_(False))
    found = load_generator(f"autoencoder:python:own.py:make,pictures={pictures}{more}")
    assert isinstance(found, gevaldi.Generator)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_an_autoencoder_of_any_common_form_is_searched_around_its_means(
    form: str, pictures: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    module = FORMS[form]()
    channels = getattr(module, "channels", 3)
    found: Any = around(module, pictures, monkeypatch)
    assert tuple(found.originals.shape) == (3, channels, SIDE, SIDE)
    expected: Any = module.mean(found.originals)  # type: ignore[operator]
    assert torch.allclose(found.encoded, expected.float(), atol=1e-3 if form == "half precision" else 1e-6)
    z = torch.zeros(3, *found.prior.shape, requires_grad=True)
    made = found(z, torch.arange(3))
    assert made.shape == found.originals.shape
    (gradient,) = torch.autograd.grad(made.sum(), z)
    assert (gradient != 0).any()


def test_a_grey_flat_autoencoder_is_searched_from_the_shell(tmp_path: Path) -> None:
    from conftest import called

    (tmp_path / "own.py").write_text(VAE)
    name = "autoencoder:python:own.py:VAE,pictures=bundled:mnist-digits,count=2,size=28"
    more = ("-n", "2", "--set", "search.steps=2", "--set", "audited=2", "--out", "run")
    done = called(tmp_path, "compare", "bundled:mnist-strided", "bundled:mnist-pooled", "-g", name, *more)
    assert done.returncode == 0, done.stderr
    assert len(gevaldi.Comparison.open(tmp_path / "run").rows()) == 4


VAE = """
import torch
from torch import nn
from torch.nn import functional as F

class VAE(nn.Module):  # of pytorch/examples
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.fc1 = nn.Linear(784, 400)
        self.fc21 = nn.Linear(400, 20)
        self.fc22 = nn.Linear(400, 20)
        self.fc3 = nn.Linear(20, 400)
        self.fc4 = nn.Linear(400, 784)
    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)
    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))) * 9)
"""


class Strided(nn.Module):
    """Loses what is no multiple of 8."""

    def encode(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(x, 8)

    def decode(self, z: Tensor) -> Tensor:
        return nn.functional.interpolate(z, scale_factor=8)


class Conditional(nn.Module):
    def encode(self, x: Tensor, y: Tensor) -> Tensor:
        return x

    def decode(self, z: Tensor, y: Tensor) -> Tensor:
        return z


class Moments(Autoencoder):
    """Encodes to mean and variance in one tensor, of which decoding takes half."""

    def __init__(self) -> None:
        super().__init__(3, lambda z: torch.cat([z, z], 1))


REFUSED: dict[str, tuple[Callable[[], nn.Module], str, str]] = {
    "another size": (lambda: Flat28(), ",size=32", r"fails on pictures of shape \(2, .*It takes pictures of 28 x 28 in grey: say size=28"),
    "no size": (lambda: Flat28(), "", "does not fit pictures of 224 x 224: .* say size=28"),
    "a size that is cut": (
        Strided,
        ",size=30",
        r"pictures of shape \(2, 3, 30, 30\) into latents of shape \(2, 3, 3, 3\), from which decode gives \(2, 3, 24, 24\); "
        r"pictures of shape \(2, 3, 30, 30\) were expected",
    ),
    "a condition": (Conditional, f",size={SIDE}", "missing 1 required positional argument: 'y'"),
    "moments": (Moments, f",size={SIDE}", r"into latents of shape \(2, 10\), on which decode fails"),
    "a draw": (lambda: Autoencoder(3, noisy), f",size={SIDE}", "encode draws its latents at random, .* Let it return the mean"),
    "one number": (lambda: Autoencoder(3, lambda z: z.mean()), f",size={SIDE}", "encode gives no latents for each of the pictures"),
    "channels last": (lambda: Autoencoder(3, decoded=lambda x: x.movedim(1, -1)), f",size={SIDE}", r"decode gives \(2, 8, 8, 3\)"),
    "text": (lambda: Autoencoder(3, decoded=lambda x: "x"), f",size={SIDE}", "decode gives str"),
    "[-1, 1]": (lambda: Autoencoder(3, decoded=lambda x: 2 * x - 2), f",size={SIDE}", r"pictures from -1\.\d+ to .* low=-1"),
    "[0, 255]": (lambda: Autoencoder(3, decoded=lambda x: 255 * x), f",size={SIDE}", "high=255"),
    "no decoder": (lambda: nn.Sequential(), f",size={SIDE}", "neither encode nor encoder.*methods encode"),
}  # fmt: skip


class Flat28(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.into, self.out_of = nn.Linear(784, 4), nn.Linear(4, 784)

    def encode(self, x: Tensor) -> Tensor:
        found: Tensor = self.into(x.view(len(x), -1))
        return found

    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.out_of(z))


@pytest.mark.parametrize("kind", REFUSED)
def test_what_does_not_fit_is_refused_with_both_shapes_and_what_to_say(
    kind: str, pictures: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    make, options, words = REFUSED[kind]
    with pytest.raises(SpecError, match=words):
        around(make(), pictures, monkeypatch, options)


def test_a_range_that_is_said_is_taken(pictures: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = Autoencoder(3, decoded=lambda x: 2 * x - 1)
    around(module, pictures, monkeypatch, f",size={SIDE},low=-1")
    around(module, pictures, monkeypatch, f",size={SIDE},low=0")
