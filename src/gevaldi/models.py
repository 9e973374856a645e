"""The two things that a user brings: a classifier and a generator, and the contract between them.

Pictures are in [0, 1] between the two: a generator converts from its own range, a classifier brings its own resizing and
normalisation, differentiably. What leaves a classifier are log-probabilities, because a divergence of 100 nats has no other form.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gevaldi.errors import SpecError
from gevaldi.labels import Label as Label
from gevaldi.labels import Labels
from gevaldi.labels import labels_of as labels_of
from gevaldi.priors.base import Prior
from gevaldi.provenance import Files
from gevaldi.sounds.base import Sound as Sound
from gevaldi.sounds.base import Waveforms

Pictures = Float[Tensor, "batch channels height width"]
Inputs = Pictures | Waveforms
"""What a classifier takes: pictures, or waveforms if it hears."""


def notes(*said: str | None) -> str | None:
    """What readers have to know of several things together, each once; None for nothing."""
    return "; ".join(dict.fromkeys(note for note in said if note)) or None


def passes_gradients(network: nn.Module) -> bool:
    """Whether gradients reach the pictures through a network; not if a part of it says otherwise by its own `passes_gradients`."""
    own: bool | None = getattr(network, "passes_gradients", None)
    return all(map(passes_gradients, network.children())) if own is None else own


def requests_at_once(network: nn.Module) -> int:
    """How many requests the service behind a network answers at once; 0 if it has none."""
    return max(getattr(part, "requests_at_once", 0) for part in network.modules())


class Classifier(nn.Module, ABC):
    """p(y|x): pictures in [0, 1] in, log-probabilities out.

    Attributes:
        labels: one per class, in the order of the output.
        name: what reports call it; None for the name by which it was asked for, or that of the module's class.
        hears: samples a second (Hz) of the waveforms (batch, samples) that it takes instead of pictures; None if it takes pictures.
        official: from a picture of 8 bits (PIL), or a waveform (NumPy) where it hears, to log-probabilities (1, classes) by the
            pipeline of the network's own package;
            None where it has none, and stored pictures are classified as the search sees them.
        note: what a reader of its results has to know, as where its gradients come from; None for nothing.
        files: those that it was read from, with their SHA-256, where it was loaded by its name.
    """

    labels: tuple[Label, ...]
    name: str | None = None
    note: str | None = None
    files: Files = MappingProxyType({})
    hears: int | None = None
    official: "Callable[[Any], Tensor] | None" = None

    @abstractmethod
    def forward(self, pictures: Pictures) -> Float[Tensor, "batch classes"]:
        """Log p(y|x), normalised over the classes."""


class Generator(nn.Module, ABC):
    """g(z): latents in, pictures in [0, 1] out.

    Attributes:
        prior: where its latents come from.
        conditions: what it can be asked for (the digits, the ImageNet classes); empty if it takes no condition.
        name: what reports call it; None for the name by which it was asked for, or that of the module's class.
        starts_at_zero: whether a search starts at the latent of zeros, and not at a draw, as where latents are offsets.
        sound: how its pictures become sound; None if they do not.
        originals: the real picture that belongs to each condition, where conditions are pictures; shown beside what is made of it.
        files: those that it was read from, with their SHA-256, where it was loaded by its name.
    """

    prior: Prior
    conditions: tuple[Label, ...] = ()
    name: str | None = None
    starts_at_zero: bool = False
    sound: Sound | None = None
    originals: Float[Tensor, "conditions channels height width"] | None = None
    files: Files = MappingProxyType({})

    def centre(self, condition: Int[Tensor, " batch"]) -> Float[Tensor, "batch ..."] | None:
        """What has to be added to latents before their length means anything, where they are offsets: Δz is relative to it."""
        return None

    @abstractmethod
    def forward(self, z: Float[Tensor, "batch ..."], condition: Int[Tensor, " batch"]) -> Pictures:
        """The pictures of these latents. A generator without conditions ignores the second argument."""


Output = Literal["logits", "log-probabilities", "probabilities"]


class ModuleClassifier(Classifier):
    """Any module that maps pictures to logits, as a classifier."""

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        module: nn.Module,
        labels: Labels,
        *,
        output: Output = "logits",
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        name: str | None = None,
        hears: int | None = None,
    ) -> None:
        super().__init__()
        _refuse_what_is_no_module(module, "classifier")
        if output not in get_args(Output):
            raise SpecError(
                f"output={output!r} was given; what a classifier's module ends in is one of {', '.join(get_args(Output))}."
            )
        self.module, self.labels, self.output, self.name = module, labels_of(labels), output, name
        self.training = module.training  # the wrapper is in evaluation mode if what it wraps is
        if hears is not None:
            self.hears = _rate(hears, mean, std)
        self.normalised = mean is not None or std is not None
        self.register_buffer("mean", torch.tensor(mean or [0.0]).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std or [1.0]).view(1, -1, 1, 1))

    def forward(self, pictures: Inputs) -> Float[Tensor, "batch classes"]:
        """Normalise, classify, and bring the output to log-probabilities."""
        raw = self.raw(pictures)
        raw = raw.to(torch.promote_types(raw.dtype, torch.float32))  # half precision knows no probability below 6e-5
        if self.output == "logits":
            log_p: Tensor = raw.log_softmax(-1)
            return log_p
        if self.output == "probabilities":
            return raw.clamp_min(torch.finfo(raw.dtype).tiny).log()  # of a zero the logarithm has no gradient
        return raw

    def raw(self, pictures: Inputs) -> Float[Tensor, "batch classes"]:
        """What the module itself gives."""
        output = self.module((pictures - self.mean) / self.std if self.normalised else pictures)
        if not isinstance(output, Tensor):
            raise TypeError(f"the module gave a {type(output).__name__}; a tensor of shape (batch, classes) was expected")
        return output


class ModuleGenerator(Generator):
    """Any module that maps latents (and perhaps conditions) to pictures, as a generator."""

    def __init__(
        self,
        module: nn.Module,
        prior: Prior,
        conditions: Labels = 0,
        output_range: tuple[float, float] = (0.0, 1.0),
        name: str | None = None,
        sound: Sound | None = None,
    ) -> None:
        super().__init__()
        _refuse_what_is_no_module(module, "generator")
        if not (isinstance(output_range, Sequence) and len(output_range) == 2 and output_range[0] < output_range[1]):
            raise SpecError(
                f"output_range={output_range!r} was given; a pair (lowest, highest) was expected, such as (-1, 1) for tanh."
            )
        self.module, self.prior, self.conditions, self.name = module, prior, labels_of(conditions), name
        self.training = module.training
        self.low, self.high = output_range
        if sound is not None and not isinstance(sound, Sound):
            raise SpecError(
                f"sound={sound!r} was given; a gevaldi.models.Sound was expected, such as LogMel() of gevaldi.sounds.log_mel."
            )
        if sound is not None:
            self.sound = sound

    def forward(self, z: Float[Tensor, "batch ..."], condition: Int[Tensor, " batch"]) -> Pictures:
        """Generate, and bring the pictures from the module's own range to [0, 1]."""
        raw: Tensor = self.module(z, condition) if self.conditions else self.module(z)
        return raw if (self.low, self.high) == (0.0, 1.0) else (raw - self.low) / (self.high - self.low)


def _refuse_what_is_no_module(module: Any, kind: str) -> None:
    if not isinstance(module, nn.Module):
        raise SpecError(
            f"A {type(module).__name__} was given as the module of a {kind}; a torch.nn.Module was expected. "
            "A function becomes one by a class derived from nn.Module that calls it in forward()."
        )


def _rate(hears: Any, *unused: Any) -> int:
    """A rate at which a classifier hears.

    Raises:
        SpecError: it is no rate, or there are the mean and std of pictures beside it.
    """
    if not isinstance(hears, int) or hears < 1:
        raise SpecError(f"hears={hears!r} was given; samples a second (Hz) were expected, such as 16000.")
    if any(setting is not None for setting in unused):
        raise SpecError("mean and std were given with hears; they belong to pictures. Normalise waveforms in the module.")
    return hears


def classifier(
    module: nn.Module,
    labels: Labels,
    *,
    output: Output = "logits",
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    name: str | None = None,
    hears: int | None = None,
) -> Classifier:
    """Wrap a module that classifies pictures or sounds: `classifier(net, labels=10, mean=[0.13], std=[0.31])`.

    Args:
        module: maps pictures (batch, channels, height, width) in [0, 1] to (batch, classes).
        labels: the number of classes, their names or `Label`s with taxonomy ids in the order of the outputs, or a mapping between
            names and indices of outputs, such as ImageFolder's `class_to_idx` and `id2label` of transformers.
        output: what the module yields; it is checked on the first pictures.
        mean: subtracted from the pictures, a number or one per channel; they are then divided by `std`.
        std: see `mean`.
        name: what reports call it; by default the name by which it was asked for, or that of the module's class.
        hears: if the module takes waveforms (batch, samples) in [-1, 1] instead of pictures, their samples a second (Hz).
    """
    return ModuleClassifier(module, labels, output=output, mean=mean, std=std, name=name, hears=hears)


def generator(
    module: nn.Module,
    latent: int | tuple[int, ...] | Prior,
    conditions: Labels = 0,
    *,
    output_range: tuple[float, float] = (0.0, 1.0),
    name: str | None = None,
    sound: Sound | None = None,
) -> Generator:
    """Wrap a module that makes pictures: `generator(vae.decoder, latent=20)`.

    Args:
        module: maps latents, or (latents, condition indices) if there are conditions, to pictures.
        latent: the size or shape of a latent under a standard normal prior, or another `Prior`.
        conditions: how many conditions there are, or their names, as `labels` of a classifier; 0 for a generator without.
        output_range: the range of the module's pictures, (-1, 1) for one that ends in tanh.
        name: what reports call it; by default the name by which it was asked for, or that of the module's class.
        sound: how its pictures become sound, such as `LogMel()` of `gevaldi.sounds.log_mel` for log-mel spectrograms.
    """
    from gevaldi.priors.standard_normal import standard_normal

    sizes = latent if isinstance(latent, tuple) else (latent,)
    if not isinstance(latent, Prior) and not all(isinstance(size, int) and size > 0 for size in sizes):
        raise SpecError(
            f"latent={latent!r} was given; the size of a latent, its shape as a tuple, or a prior was expected, for example 20, "
            "(4, 8, 8), or gevaldi.priors.truncated_normal.TruncatedNormal(128)."
        )
    prior = latent if isinstance(latent, Prior) else standard_normal(*((latent,) if isinstance(latent, int) else latent))
    return ModuleGenerator(module, prior, conditions, output_range, name, sound)
