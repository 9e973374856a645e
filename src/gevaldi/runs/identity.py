"""What a run's record says of its networks, its divergence and its machine, so that they are told from any others."""

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import is_dataclass
from enum import Enum
from hashlib import sha256
from typing import Any

import torch
from torch import nn

from gevaldi.alignment import Aligned
from gevaldi.divergences import registry, traits
from gevaldi.divergences.base import Divergence
from gevaldi.models import Label
from gevaldi.names import OBJECT
from gevaldi.priors.base import Prior
from gevaldi.registry import Call
from gevaldi.runs.spec import Spec
from gevaldi.runs.worker import Models

_hashes: ContextVar[dict[nn.Module, str] | None] = ContextVar("hashes of weights", default=None)


@contextmanager
def hashed_once() -> Iterator[None]:
    """Within it the weights of a network are hashed once, however many runs describe it; nobody may change them meanwhile."""
    before = _hashes.set({})
    try:
        yield
    finally:
        _hashes.reset(before)


def describe(models: Models, spec: Spec) -> dict[str, Any]:
    """Names, labels, sizes and hashes of the networks, as the record keeps them."""
    generator = models.generator
    return {
        "first": describe_network(models.first, spec.first) | {"labels": _labels(models.first.labels)},
        "second": describe_network(models.second, spec.second) | {"labels": _labels(models.second.labels)},
        "generator": describe_network(generator, spec.generator)
        | {
            "conditions": _labels(generator.conditions),
            "prior": type(generator.prior).__name__,
            "prior_sha256": hash_of_prior(generator.prior),
            "latent_shape": list(generator.prior.shape),
        },
    }


def describe_network(module: nn.Module, name: str) -> dict[str, Any]:
    """A classifier or a generator, so that it is told from any other: its weights, and its settings besides."""
    module = module.inner if isinstance(module, Aligned) else module
    # What a wrapper does with its module's output is not in the weights.
    settings = {key: getattr(module, key) for key in ("output", "low", "high") if hasattr(module, key)}
    return {
        "name": name if name.startswith(OBJECT) else getattr(module, "name", None) or name,
        "parameters": sum(p.numel() for p in module.parameters()),
        "sha256": _known_hash_of(module),
        "settings": settings | {"sha256": _hash_of_settings(module)},
        "note": getattr(module, "note", None),
    }


def _hash_of_settings(module: nn.Module) -> str:
    """Over what is not in the weights: settings of GeValDi's own parts, however deep, and buffers that no state dict has."""
    digest = sha256()
    stored = set(module.state_dict())
    for name, tensor in sorted(module.named_buffers()):
        if name not in stored:
            digest.update(name.encode() + tensor.detach().cpu().double().contiguous().numpy().tobytes())
    for name, part in sorted(module.named_modules()):
        if type(part).__module__.startswith("gevaldi."):
            told = ((key, value) for key, value in vars(part).items() if not key.startswith("_") and key not in _UNSETTLED)
            settings = {key: value for key, value in told if _is_plain(value)}
            digest.update(f"{name} {type(part).__qualname__} {sorted(settings.items())}".encode())
    return digest.hexdigest()


_UNSETTLED = ("training", "name", "note")  # said elsewhere, or only about it


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    if is_dataclass(value):
        return all(map(_is_plain, vars(value).values()))
    return isinstance(value, str | int | float | Enum | torch.dtype | None)


def hash_of_prior(prior: Prior) -> str:
    """Over a prior's own numbers, and not over what it computes from them, which another machine may round otherwise."""
    digest = sha256()
    for key, value in sorted(vars(prior).items()):
        if isinstance(value, torch.Tensor):
            digest.update(key.encode() + value.detach().cpu().double().contiguous().numpy().tobytes())
        elif not key.startswith("_") and isinstance(value, int | float | str | tuple):
            digest.update(f"{key}={value!r}".encode())
    return digest.hexdigest()


def _labels(labels: tuple[Label, ...]) -> list[dict[str, str | None]]:
    return [{"name": label.name, "id": label.id} for label in labels]


def describe_divergence(text: str, function: Divergence) -> dict[str, Any]:
    """A divergence with what it claims of itself."""
    claimed = traits(function)
    bound = None if claimed.bound == float("inf") else claimed.bound
    return {
        "name": Call.parse(text).name,
        "unit": claimed.unit,
        "symmetric": claimed.symmetric,
        "bound": bound,
        "summary": registry.summary(Call.parse(text).name),
    }


def _known_hash_of(module: nn.Module) -> str:
    known = _hashes.get()
    if known is None:
        return hash_of(module)
    if module not in known:
        known[module] = hash_of(module)
    return known[module]


def hash_of(module: nn.Module) -> str:
    """SHA-256 over the names and values of all parameters and buffers; float32 has the same as the float64 it was widened to."""
    digest = sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        value = value.float() if value.dtype == torch.float64 and bool((value.float() == value).all()) else value
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def versions() -> dict[str, str]:
    """What the rows may depend on."""
    from importlib.metadata import version

    return {
        "gevaldi": version("gevaldi"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": version("numpy"),
    }


def device_name(device: torch.device) -> str:
    """The device in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.machine()}, {torch.get_num_threads()} threads)"
