"""Other people's autoencoders: which pictures they take, and where in what they return the latents and the pictures are."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

from gevaldi.errors import SpecError, describe_error

LATENTS = (
    *("latent_dist", "mu", "mean", "z_mean", "z_mu", "loc", "latents", "latent", "embedding", "quantized", "quantised", "z_q"),
    *("z", "code", "encoding", "encoded"),
)
PICTURES = (
    *("sample", "reconstruction", "recon", "recon_x", "x_recon", "x_hat", "reconstructed", "output", "out", "mean", "mu", "x"),
    *("probs", "loc"),
)
SIDES = (28, 32, 64, 96, 128, 224, 256, 512)  # that are tried to say which would do
BEYOND = 0.7  # by which reconstructions may leave [0, 1]: tanh leaves it by 1, logits by more, an untrained network by less
WORSE = 2.0  # how many times the error of the best latents another's may be that comes before it
COLOURS = {3: "colour", 1: "grey"}

Shape = tuple[int, int, int]


class Misfit(Exception):
    """An autoencoder does not take pictures of a shape; says how far it came (`stage`) and what happened."""

    def __init__(self, stage: int, words: str) -> None:
        super().__init__(words)
        self.stage = stage


@dataclass(frozen=True)
class Fitted:
    """An autoencoder for pictures of one shape.

    Attributes:
        module: with `encode` and `decode`, or `encoder` and `decoder`.
        shape: channels, height and width.
        flat: whether it takes pictures as rows of numbers.
        place: of the latents among the tensors that encoding gives.
    """

    module: nn.Module
    shape: Shape
    flat: bool
    place: int = 0

    def candidates(self, pictures: Tensor) -> list[Tensor]:
        """All that encoding gives that may be latents: means and modes of distributions, members called so, or any in turn."""
        raw = part_of(self.module, "encode")(_cast(pictures.flatten(1) if self.flat else pictures, self.module))
        return [one.to(pictures.dtype) for one in tensors_in(raw, LATENTS) if one.shape[:1] == pictures.shape[:1] and one.dim() > 1]

    def encode(self, pictures: Tensor) -> Tensor:
        """The latents of pictures."""
        return self.candidates(pictures)[self.place]

    def decode(self, latents: Tensor) -> Tensor:
        """The pictures of latents.

        Raises:
            Misfit: it gives none of this shape.
        """
        raw = part_of(self.module, "decode")(_cast(latents, self.module))
        channels, height, width = self.shape
        taken: set[tuple[int, ...]] = {self.shape, (channels * height * width,)}
        taken |= {(height, width), (height, width, 1)} if channels == 1 else set()
        given = list(tensors_in(raw, PICTURES))
        for one in given:
            if len(one) == len(latents) and tuple(one.shape[1:]) in taken:
                return one.reshape(len(one), *self.shape).to(latents.dtype)
        shapes = " and ".join(str(tuple(one.shape)) for one in given) or type(raw).__name__
        raise Misfit(2, f"decode gives {shapes}")


def part_of(module: nn.Module, name: str) -> Callable[[Any], Any]:
    """Its method or part `encode`, or else `encoder`; likewise for decoding.

    Raises:
        SpecError: it has neither.
    """
    found: Callable[[Any], Any] | None = getattr(module, name, None) or getattr(module, f"{name}r", None)
    if found is None:
        raise SpecError(
            f"A {type(module).__name__} has neither {name} nor {name}r; a torch.nn.Module with the methods encode (pictures to "
            "latents) and decode (latents to pictures) was expected."
        )
    return found


def fitted(module: nn.Module, name: str, load: Callable[[Shape], Tensor], size: int, limits: tuple[float, float]) -> Fitted:
    """The autoencoder for pictures of this size, in colour or, where it does not take these, grey.

    Args:
        module: the autoencoder.
        name: in errors.
        load: gives some pictures of a shape.
        size: of their sides.
        limits: the range of the autoencoder's pictures.

    Raises:
        SpecError: it takes neither, gives other pictures back, or draws latents at random.
    """
    troubles = []
    for channels in COLOURS:
        try:
            return _fitted(module, load((channels, size, size)), limits)
        except Misfit as misfit:
            troubles.append(misfit)
    trouble = max(troubles, key=lambda one: one.stage)
    raise SpecError(f"{name} does not fit pictures of {size} x {size}: {trouble}.{_hint(module, load, size, limits)}")


def _hint(module: nn.Module, load: Callable[[Shape], Tensor], size: int, limits: tuple[float, float]) -> str:
    """The nearest size that would do."""
    for side in sorted(SIDES, key=lambda side: abs(side - size)):
        for channels, colour in COLOURS.items():
            try:
                _fitted(module, load((channels, side, side)), limits)
            except Misfit:
                continue
            return f" It takes pictures of {side} x {side} in {colour}: say size={side}."
    return " Say the size that it takes: size=SIDE. decode(encode(pictures)) has to have the shape of the pictures."


@torch.no_grad()
def _fitted(module: nn.Module, originals: Tensor, limits: tuple[float, float]) -> Fitted:
    low, high = limits
    pictures = originals * (high - low) + low
    troubles = []
    for flat in (False, True):
        try:
            channels, height, width = pictures.shape[1:]
            return _chosen(Fitted(module, (channels, height, width), flat), pictures)
        except Misfit as misfit:
            troubles.append(misfit)
    raise max(troubles, key=lambda one: one.stage)


def _chosen(fitting: Fitted, pictures: Tensor) -> Fitted:
    """With the place of the first latents that are no draw and whose pictures are hardly worse than those of the others.

    Raises:
        Misfit: there are none.
    """
    shape = tuple(pictures.flatten(1).shape if fitting.flat else pictures.shape)
    try:
        first, again = fitting.candidates(pictures), fitting.candidates(pictures)
    except Exception as error:  # whatever a user's module may raise
        raise Misfit(0, f"encode fails on pictures of shape {shape}. {describe_error(error)}") from None
    if not first:
        raise Misfit(0, f"encode gives no latents for each of the pictures of shape {shape}")
    fixed = [i for i, (one, other) in enumerate(zip(first, again, strict=True)) if torch.equal(one, other)]
    if not fixed:
        raise Misfit(3, "encode draws its latents at random, so that no search could begin at a picture. Let it return the mean")
    errors, troubles = {}, []
    for i in fixed:
        between = f"encode turns pictures of shape {shape} into latents of shape {tuple(first[i].shape)}"
        try:
            errors[i] = (fitting.decode(first[i]) - pictures).square().mean().item()
        except Misfit as misfit:
            troubles.append(Misfit(2, f"{between}, from which {misfit}; pictures of shape {tuple(pictures.shape)} were expected"))
        except Exception as error:
            troubles.append(Misfit(1, f"{between}, on which decode fails. {describe_error(error)}"))
    if not errors:
        raise max(troubles, key=lambda one: one.stage)
    best = next(i for i in errors if not errors[i] > WORSE * min(errors.values()))
    return Fitted(fitting.module, fitting.shape, fitting.flat, best)


def refuse_other_range(autoencoder: Fitted, name: str, originals: Tensor) -> None:
    """Refuse an autoencoder of pictures in [0, 1] whose reconstructions leave that range.

    Raises:
        SpecError: they do.
    """
    with torch.no_grad():
        again = autoencoder.decode(autoencoder.encode(originals))
    low, high = again.min().item(), again.max().item()
    if low < -BEYOND or high > 1 + BEYOND:
        raise SpecError(
            f"{name} turns pictures in [0, 1] into pictures from {low:.3g} to {high:.3g}. Say the range that it works in, such as "
            "low=-1 for [-1, 1] or high=255; if decode gives logits, let it end in a sigmoid; if pictures are "
            "normalised by mean and std, do so in encode and undo it in decode. With low=0 it is taken as it is, and "
            "what leaves [0, 1] is cut off."
        )


def tensors_in(raw: Any, names: tuple[str, ...]) -> Iterator[Tensor]:
    """The tensors in what a module returns: those called so first, of a distribution its mode or mean, and then any others."""
    if isinstance(raw, Tensor):
        if raw.is_floating_point() and raw.dim():
            yield raw
    elif isinstance(raw, torch.distributions.Distribution):
        yield raw.mean
    elif callable(mode := getattr(raw, "mode", None)):  # as diffusers and CompVis have distributions
        yield mode()
    elif isinstance(raw, list | tuple) and not hasattr(raw, "_fields"):
        for part in raw:
            yield from tensors_in(part, names)
    else:
        parts = raw if isinstance(raw, Mapping) else raw._asdict() if hasattr(raw, "_asdict") else getattr(raw, "__dict__", {})
        known = [parts[name] for name in names if name in parts]
        for part in [*known, *(part for key, part in parts.items() if key not in names)]:
            yield from tensors_in(part, names)


def _cast(values: Tensor, module: nn.Module) -> Tensor:
    """As the module's own numbers, such as half precision."""
    own = next((p.dtype for p in islice(module.parameters(), 1) if p.is_floating_point()), values.dtype)
    return values.to(own)
