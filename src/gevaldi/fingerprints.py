"""What a run's record says of its networks, its divergence and its machine, so that they are told from any others."""

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import is_dataclass
from enum import Enum
from hashlib import sha256
from typing import Any

import torch
from torch import nn

from gevaldi.alignment import Aligned
from gevaldi.calls import Call
from gevaldi.divergences import registry, traits
from gevaldi.divergences.base import Divergence
from gevaldi.models import Classifier, Generator, Label, Sound
from gevaldi.names import OBJECT, plain
from gevaldi.priors.base import Prior
from gevaldi.spec import Spec

_hashes: ContextVar[dict[nn.Module, str] | None] = ContextVar("hashes of weights", default=None)


@contextmanager
def hashed_once() -> Iterator[None]:
    """Within it the weights of a network are hashed once, however many runs describe it; nobody may change them meanwhile."""
    before = _hashes.set({})
    try:
        yield
    finally:
        _hashes.reset(before)


def describe(first: Classifier, second: Classifier, generator: Generator, spec: Spec) -> dict[str, Any]:
    """Names, labels, sizes, files and hashes of the networks, as the record keeps them."""
    return {
        "first": describe_network(first, spec.first) | {"files": _files(first), "labels": _labels(first.labels)},
        "second": describe_network(second, spec.second) | {"files": _files(second), "labels": _labels(second.labels)},
        "generator": describe_network(generator, spec.generator)
        | {
            "files": _files(generator),
            "conditions": _labels(generator.conditions),
            "prior": type(generator.prior).__name__,
            "prior_sha256": hash_of_prior(generator.prior),
            "latent_shape": list(generator.prior.shape),
            "sound": _sound(generator.sound),
        },
    }


def _sound(sound: Sound | None) -> dict[str, Any] | None:
    """How pictures become sound; weights of a vocoder are among the generator's."""
    settings: dict[str, Any] = _as_json(sound) if is_dataclass(sound) else {}
    return {"kind": type(sound).__name__, "rate": sound.rate} | settings if sound else None


def differing(here: dict[str, Any], there: dict[str, Any]) -> list[str]:
    """Which entries of two descriptions of a network are not the same; of its files only sources count, wherever they lie.

    Weights are compared by their values, whatever the file.
    """
    sources = [{file["sha256"] for file in side["files"] if file["path"].endswith(".py")} for side in (here, there)]
    return [key for key in here if key != "files" and here[key] != there.get(key)] + ["files"] * (sources[0] != sources[1])


def _files(network: Classifier | Generator) -> list[dict[str, str]]:
    return [{"path": plain(path, None), "sha256": digest} for path, digest in sorted(network.files.items())]


def describe_network(module: nn.Module, name: str) -> dict[str, Any]:
    """A classifier or a generator, so that it is told from any other: its weights, and its settings besides."""
    module = module.inner if isinstance(module, Aligned) else module
    return {
        "name": name if name.startswith(OBJECT) else getattr(module, "name", None) or name,
        "parameters": sum(p.numel() for p in module.parameters()),
        "sha256": _known_hash_of(module),
        "settings": settings_of(module),
        "note": getattr(module, "note", None),
    }


def settings_of(module: nn.Module) -> dict[str, Any]:
    """What is not in the weights, by the name of each of GeValDi's own parts of a network, as JSON has it.

    What a wrapper does with its module's output, how pictures are resized, cut and normalised; of what is long, its hash.
    """
    found: dict[str, Any] = {}
    for name, part in module.named_modules():
        if not type(part).__module__.startswith("gevaldi."):
            continue
        told = {key: value for key, value in vars(part).items() if not key.startswith("_") and key not in _ELSEWHERE}
        buffers = dict(part.named_buffers(recurse=False))
        own = {key: _as_json(value) for key, value in sorted((told | buffers).items()) if _is_plain(value)}
        found[name or "network"] = {"kind": type(part).__name__} | own
    return found


_ELSEWHERE = (
    "training",
    "name",
    "note",
    "labels",
    "conditions",
)  # which the record has beside the settings, or which decide nothing
SHORT = 64  # numbers that are listed


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    if is_dataclass(value):
        return all(map(_is_plain, vars(value).values()))
    return isinstance(value, str | int | float | Enum | torch.dtype | torch.Tensor | None)


def _as_json(value: Any) -> Any:
    """A plain value as JSON has it; numbers of single precision by their shortest digits, so that 0.485 stands as 0.485."""
    if isinstance(value, torch.Tensor):
        numbers = value.detach().cpu()
        if numbers.numel() > SHORT:
            return {"shape": list(numbers.shape), "sha256": sha256(numbers.double().contiguous().numpy().tobytes()).hexdigest()}
        listed = numbers.flatten().tolist()
        return [float(f"{number:.7g}") for number in listed] if numbers.is_floating_point() else listed
    if isinstance(value, tuple):
        listed = [_as_json(entry) for entry in value]
        whole = json.dumps(listed)
        return listed if len(listed) <= SHORT else {"length": len(listed), "sha256": sha256(whole.encode()).hexdigest()}
    if is_dataclass(value):
        return {key: _as_json(entry) for key, entry in vars(value).items()}
    if isinstance(value, Enum):
        return value.value
    return str(value).removeprefix("torch.") if isinstance(value, torch.dtype) else value


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
        "non_negative": claimed.non_negative,
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
    from importlib.metadata import PackageNotFoundError, version

    found = {
        "gevaldi": version("gevaldi"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": version("numpy"),
    }
    with suppress(PackageNotFoundError):
        found["onnxruntime"] = version("onnxruntime")  # whose kernels compute copies in integers
    return found


def device_name(device: torch.device) -> str:
    """The device in words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{device.type} ({platform.machine()})"
