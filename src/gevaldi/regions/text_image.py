"""How well texts fit pictures, by a text-image network that the user names, such as CLIP [Radford 2021]."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from gevaldi.classifiers.transformers import Place, answering, place_of, quiet
from gevaldi.errors import MissingExtra, SpecError

if TYPE_CHECKING:
    from PIL.Image import Image

SOURCE = "transformers:"
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
BATCH = 32  # pictures that are embedded together


@dataclass(frozen=True)
class TextImageNetwork:
    """A network with features of texts and of pictures that can be compared.

    Attributes:
        name: as the user wrote it.
        network: has `get_text_features` and `get_image_features`.
        processor: prepares both.
    """

    name: str
    network: Any
    processor: Any

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Float[Tensor, "texts features"]:
        """The features of texts."""
        tokens = self.processor(text=list(texts), return_tensors="pt", padding="max_length", truncation=True)
        return _of_length_1(self.network.get_text_features(**tokens.to(self.network.device)))

    @torch.inference_mode()
    def pictures(self, pictures: Sequence["Image"]) -> Float[Tensor, "pictures features"]:
        """The features of pictures, whose products with those of texts say how well these fit."""
        parts = []
        for begin in range(0, len(pictures), BATCH):
            batch = [picture.convert("RGB") for picture in pictures[begin : begin + BATCH]]
            prepared = self.processor(images=batch, return_tensors="pt").to(self.network.device)
            parts.append(_of_length_1(self.network.get_image_features(**prepared)))
        return torch.cat(parts)


def _of_length_1(output: Any) -> Tensor:
    """Features scaled to length 1, of a network that returns them alone or together with its layers."""
    return normalize(getattr(output, "pooler_output", output).float(), dim=1)


def text_image(name: str, device: torch.device | str = "cpu") -> TextImageNetwork:
    """The text-image network of a name, `transformers:ID` or `transformers:FOLDER`, ready on a device.

    Raises:
        SpecError: the name is of another kind, or of a network that does not compare texts and pictures.
        MissingExtra: transformers is not installed.
        WeightsError: the network cannot be found, fetched or read.
    """
    if not name.startswith(SOURCE):
        raise SpecError(
            f"{name!r} names no text-image network. Name one of transformers: transformers:openai/clip-vit-base-patch32."
        )
    if find_spec("transformers") is None:
        raise MissingExtra("transformers", name, "transformers")
    own = name.removeprefix(SOURCE)
    place = place_of(own, WEIGHTS, None)
    with quiet(place), answering(own):
        return _loaded(name, place, device)


def _loaded(name: str, place: Place, device: torch.device | str) -> TextImageNetwork:
    from transformers import AutoConfig, AutoModel, AutoProcessor

    config = AutoConfig.from_pretrained(place.where, **place.options)
    if not hasattr(config, "text_config"):
        raise SpecError(
            f"{name} is a {config.model_type}; a text-image network was expected, such as openai/clip-vit-base-patch32."
        )
    network = AutoModel.from_pretrained(place.where, config=config, use_safetensors=True, **place.options)
    if not all(hasattr(network, f"get_{what}_features") for what in ("text", "image")):
        raise SpecError(f"{name} is a {config.model_type}, which has no features of texts and pictures to compare.")
    return TextImageNetwork(name, network.float().to(device).eval(), AutoProcessor.from_pretrained(place.where, **place.options))
