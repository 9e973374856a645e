"""A generator of what a pipeline of diffusers makes of its initial noise, differentiably."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from gevaldi.models import Generator, Label, Pictures
from gevaldi.priors.standard_normal import standard_normal

NOISE_SEED = 0  # of the noise that samplers of several steps add on the way

Arguments = Callable[[Int[Tensor, " batch"]], dict[str, Any]]
"""From conditions to what the pipeline is called with for them."""


class Diffusion(Generator):
    """g(z, c): the pipeline run from the initial noise z ~ N(0, I), before its scheduler scales it, under condition c.

    Samplers of several steps that add noise on the way get the same for every sample: a function of the step alone, so that a
    picture depends on z and c and not on its batch. It is drawn in the pipeline's own precision, and differs between precisions.
    Where the picture is cut off at black or white it passes no gradient.
    """

    note: str | None = None

    def __init__(
        self,
        pipeline: Any,
        conditions: Sequence[Label],
        arguments: Arguments,
        steps: int,
        name: str | None = None,
    ) -> None:
        super().__init__()
        self.parts = nn.ModuleDict({key: part for key, part in pipeline.components.items() if isinstance(part, nn.Module)})
        self.pipeline, self.arguments, self.steps = pipeline, arguments, steps
        self.conditions, self.name = tuple(conditions), name
        self.prior = standard_normal(*latent_shape(pipeline.unet))

    def forward(self, z: Float[Tensor, "batch ..."], condition: Int[Tensor, " batch"]) -> Pictures:
        """The pictures that the sampler ends in; in another precision than that of z, it is converted on both ways."""
        run = inspect.unwrap(type(self.pipeline).__call__)  # what torch.no_grad wraps
        made = run(
            self.pipeline,
            latents=z.to(self.pipeline.unet.dtype),
            num_inference_steps=self.steps,
            generator=[torch.Generator().manual_seed(NOISE_SEED) for _ in z],
            output_type="pt",
            **self.arguments(condition),
        )
        pictures: Tensor = made.images
        return pictures.to(z.dtype)


def latent_shape(unet: Any) -> tuple[int, int, int]:
    """Channels, height and width of what a UNet denoises."""
    size = unet.config.sample_size
    height, width = (size, size) if isinstance(size, int) else size
    return unet.config.in_channels, height, width


def classes(condition: Int[Tensor, " batch"]) -> dict[str, Any]:
    """The arguments of a pipeline that is conditioned on classes, or on nothing."""
    return {"batch_size": len(condition), "class_labels": condition}


class EncodedPrompts:
    """The arguments of a pipeline that reads prompts; each prompt is encoded when it is first asked for, and kept on the CPU."""

    # As pipelines return them from encode_prompt, those of the first two or of all four.
    NAMES = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")

    def __init__(self, pipeline: Any, prompts: Sequence[str], guidance: float) -> None:
        """`guidance` above 1 runs the UNet on the empty prompt too, unless it takes its guidance as an input."""
        self.pipeline, self.prompts, self.guidance = pipeline, prompts, guidance
        self.twice = guidance > 1 and pipeline.unet.config.time_cond_proj_dim is None
        self._encoded: dict[tuple[int, torch.dtype], dict[str, Tensor]] = {}

    def __call__(self, condition: Int[Tensor, " batch"]) -> dict[str, Any]:
        """The encoded prompts of these conditions, where the UNet is."""
        unet = self.pipeline.unet
        found = [self._of(index, unet.dtype) for index in condition.tolist()]
        joined = {key: torch.cat([each[key] for each in found]).to(unet.device) for key in found[0]}
        return {**joined, "guidance_scale": self.guidance}

    @torch.no_grad()
    def _of(self, index: int, dtype: torch.dtype) -> dict[str, Tensor]:
        if (index, dtype) not in self._encoded:
            found = self.pipeline.encode_prompt(
                prompt=[self.prompts[index]],
                device=self.pipeline.unet.device,
                num_images_per_prompt=1,
                do_classifier_free_guidance=self.twice,
            )
            named = zip(self.NAMES, found, strict=False)
            self._encoded[index, dtype] = {key: value.to("cpu", dtype) for key, value in named if value is not None}
        return self._encoded[index, dtype]
