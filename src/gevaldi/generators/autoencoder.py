"""Any autoencoder as a generator: searched around real pictures."""

import re
from typing import TYPE_CHECKING

from gevaldi.errors import SpecError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gevaldi.models import Generator, Label
    from gevaldi.pictures.base import RealPictures


class Autoencoder:
    """What lies around real pictures in an autoencoder's latent space: `autoencoder:python:file.py:make,pictures=folder:DIR`.

    The autoencoder is your own module with `encode` and `decode` (or `encoder` and `decoder`), `python:file.py:factory`, or one
    of diffusers by its folder or hub id, `diffusers:madebyollin/taesd`. It may take pictures in colour or grey, also as rows of
    numbers, and return tensors, tuples such as (mu, logvar), mappings, objects or distributions. Options: `pictures=SOURCE:NAME`;
    `count`, how many of them, evenly spaced, are conditions (16); `size`, pixels a side that they are brought to (224); `radius`,
    the standard deviation of latents around an encoding (0.1); `low` and `high`, the range of the autoencoder's pictures (0 and
    1; -1 and 1 for diffusers); `subfolder` of a hub id.
    """

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(
        self,
        name: str,
        /,
        *,
        pictures: str,
        count: int = 16,
        size: int = 224,
        radius: float = 0.1,
        low: float | None = None,
        high: float = 1.0,
        subfolder: str | None = None,
    ) -> "Generator":
        """The generator; its conditions are the pictures, called by their classes.

        Raises:
            SpecError: it is no autoencoder, or a number is impossible.
            DataError: there are no pictures, or they cannot be read.
            MissingExtra, WeightsError: diffusers is not installed, or its weights are not at hand.
        """
        import torch

        from gevaldi.generators._around import AroundPictures
        from gevaldi.generators._autoencoders import fitted, part_of, refuse_other_range
        from gevaldi.pictures import sources
        from gevaldi.pictures.base import RealPictures, brought_to, spread

        if not (radius > 0 and count > 0 and size > 0):
            raise SpecError(f"radius={radius}, count={count}, size={size} were given; all of them are above zero.")
        source, _, place = name.partition(":")
        if source not in ("python", "diffusers") or not place:
            raise SpecError(
                f"autoencoder:{name} names no autoencoder; one was expected as autoencoder:python:file.py:factory or "
                "autoencoder:diffusers:FOLDER_OR_HUB_ID."
            )
        module = _own(place) if source == "python" else _of_diffusers(place, subfolder)
        for part in ("encode", "decode"):
            part_of(module, part)
        limits, full = ((0.0 if source == "python" else -1.0) if low is None else low, high), f"autoencoder:{name}"
        real: RealPictures = sources.load(pictures)
        chosen = real.at(spread(len(real.pictures), count))
        ends = sorted({0, len(chosen.pictures) - 1})
        some = RealPictures([chosen.pictures[i] for i in ends], [None] * len(ends))  # to try it on, read once

        def tried(shape: tuple[int, int, int]) -> "Tensor":
            return torch.stack([*brought_to(some, shape).pictures])

        found = fitted(module, full, tried, size, limits)
        first, *last = tried(found.shape)
        if source == "python" and low is None and high == 1:
            refuse_other_range(found, full, torch.stack([first, *last]))
        between = brought_to(chosen.at(range(1, len(chosen.pictures) - 1)), found.shape)
        return AroundPictures(
            module,
            found.encode,
            found.decode,
            torch.stack([first, *between.pictures, *last]),
            _labels(chosen),
            radius,
            limits,
            name=f"{re.split('[:/]', place)[-1]}, around pictures",
        ).eval()


def _own(place: str) -> "nn.Module":
    from torch import nn

    from gevaldi.classifiers.python import Python

    found = Python().load(place)
    if not isinstance(found, nn.Module):
        raise SpecError(
            f"python:{place} gave a {type(found).__name__}; a torch.nn.Module with the methods encode (pictures to latents) and "
            "decode (latents to pictures) was expected."
        )
    return found.eval().requires_grad_(False)


def _of_diffusers(place: str, subfolder: str | None) -> "nn.Module":
    from gevaldi.generators._diffusers_hub import AUTOENCODERS, loaded

    name = f"autoencoder:diffusers:{place}"
    where = {"subfolder": subfolder} if subfolder else {}

    def load(only_here: bool) -> "nn.Module":
        import diffusers

        config = diffusers.AutoencoderKL.load_config(place, local_files_only=only_here, **where)
        written = config.get("_class_name")
        if written not in AUTOENCODERS:
            raise SpecError(f"{name} is a {written}, which is not known here; known are {', '.join(AUTOENCODERS)}.")
        module: nn.Module = getattr(diffusers, written).from_pretrained(
            place, use_safetensors=True, local_files_only=only_here, **where
        )
        return module

    return loaded(name, place, load).eval().requires_grad_(False)


def _labels(found: "RealPictures") -> "list[Label]":
    """Pictures by their classes: a WordNet id with its name, a name, or a number."""
    from gevaldi.models import Label
    from gevaldi.taxonomy import registry

    taxonomy = registry.build("ilsvrc")
    return [
        Label(f"picture {i}") if name is None else Label(taxonomy.name(name), name) if name in taxonomy.hypernyms else Label(name)
        for i, name in enumerate(found.classes)
    ]
