"""Diffusion models of one or a few steps as generators, from diffusers."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.errors import SpecError, UnknownName
from gevaldi.generators._diffusers_hub import check_components, loaded, require
from gevaldi.storage import local_path

if TYPE_CHECKING:
    from gevaldi.generators._diffusion import Arguments
    from gevaldi.models import Generator, Label

NAMES = [
    "SimianLuo/LCM_Dreamshaper_v7",
    "openai/diffusers-cd_imagenet64_l2",
    "stabilityai/sd-turbo",
    "stabilityai/sdxl-turbo",
]
PRECISIONS = ("float32", "bfloat16", "float16")
TEMPLATE = "a photo of a {}"
ILSVRC = 1000  # classes
RENAMED = (0, 42)  # the release of diffusers from which on torch_dtype is called dtype at the latest
LARGE = 1e9  # bytes of parameters from which on a user is told of them
UNCHECKED = {"safety_checker": None, "requires_safety_checker": False}


@dataclass(frozen=True)
class Kind:
    """What is particular to a class of pipelines: its usual steps and guidance (None if it takes none), and what is left out."""

    steps: int
    guidance: float | None = None
    without: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reads(self) -> bool:
        """Whether its conditions are prompts."""
        return self.guidance is not None


KINDS = {
    "ConsistencyModelPipeline": Kind(steps=1),
    "LatentConsistencyModelPipeline": Kind(steps=4, guidance=8.5, without=UNCHECKED),
    "StableDiffusionPipeline": Kind(steps=1, guidance=0.0, without=UNCHECKED),
    "StableDiffusionXLPipeline": Kind(steps=1, guidance=0.0, without={"add_watermarker": False}),
}


class Diffusers:
    """Diffusion models of one or a few steps, by hub id or folder: `diffusers:stabilityai/sd-turbo`, `diffusers:FOLDER`.

    The latent is the initial noise. Conditions are classes (consistency models) or prompts (Stable Diffusion, its XL and turbo
    kinds, latent consistency models). Options: `steps` of the sampler (1; 4 for latent consistency) and its `guidance` (0; 8.5);
    `prompts`, a template in which {} stands for the name of a class of ImageNet, or a file of one prompt a line, perhaps after a
    WordNet id or name and a tab; `dtype`, float32, bfloat16 or float16; `variant` of the files; `checkpointing`, which computes
    twice to need less memory. Needs `pip install 'gevaldi[diffusers]'`, for prompts also `'gevaldi[transformers]'`.
    """

    def names(self) -> list[str]:
        """Some that are well known; any other hub id or folder can be named too."""
        return NAMES

    def load(
        self,
        name: str,
        /,
        *,
        steps: int | None = None,
        guidance: float | None = None,
        prompts: str | None = None,
        dtype: str = "float32",
        variant: str | None = None,
        checkpointing: bool = True,
    ) -> "Generator":
        """The generator, in evaluation mode, its weights frozen.

        Raises:
            SpecError: the pipeline is of a kind that is not known here, or does not take an option or its value.
            DataError: the prompts are neither a template nor a file that can be read.
            MissingExtra, WeightsError: diffusers or transformers is not installed, or the weights are not at hand.
        """
        from gevaldi.generators._diffusion import Diffusion
        from gevaldi.generators._prompts import prompts_of

        _refuse_impossible(steps, dtype)
        asked = None if prompts is None else prompts_of(prompts)
        folder = local_path(name)
        place = str(folder.resolve()) if folder.is_dir() else name
        for_readers = [key for key, value in (("prompts", prompts), ("guidance", guidance)) if value is not None]
        pipeline = loaded(f"diffusers:{name}", place, _Pipeline(name, place, dtype, variant, for_readers))
        kind = KINDS[type(pipeline).__name__]
        strength = kind.guidance if guidance is None else guidance
        if checkpointing:
            _checkpoint(pipeline)
        conditions, arguments = _by_classes(pipeline) if strength is None else _by_prompts(pipeline, asked, strength)
        made = Diffusion(pipeline, conditions, arguments, steps or kind.steps, Path(place).name)
        guided = "" if strength is None else f", guidance {strength:g}"
        made.note = f"{type(pipeline).__name__}, steps {made.steps}{guided}, computed in {dtype}"
        _announce(name, made, dtype)
        return made.eval().requires_grad_(False)


def _refuse_impossible(steps: int | None, dtype: str) -> None:
    if dtype not in PRECISIONS:
        raise SpecError(str(UnknownName("dtype", dtype, PRECISIONS)))
    if steps is not None and steps < 1:
        raise SpecError(f"steps={steps} was given; a number of steps from 1 on was expected.")


@dataclass(frozen=True)
class _Pipeline:
    """Loads a pipeline once its kind is known to be one that can be used."""

    name: str
    place: str
    dtype: str
    variant: str | None
    for_readers: Sequence[str]  # options that were given and are for kinds that read prompts

    def __call__(self, only_here: bool) -> Any:
        import diffusers
        import torch

        config = diffusers.DiffusionPipeline.load_config(self.place, local_files_only=only_here)
        written = str(config.get("_class_name"))
        kind = self._kind(written)
        check_components(f"diffusers:{self.name}", config, kind.without)
        precision = "dtype" if _release(diffusers.__version__) >= RENAMED else "torch_dtype"
        pipeline = getattr(diffusers, written).from_pretrained(
            self.place,
            use_safetensors=True,
            local_files_only=only_here,
            low_cpu_mem_usage=_is_installed("accelerate"),  # it cannot do without, and would say so at length
            **{precision: getattr(torch, self.dtype)},
            **({"variant": self.variant} if self.variant else {}),
            **kind.without,
        )
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def _kind(self, written: str) -> Kind:
        if written not in KINDS:
            raise SpecError(
                f"diffusers:{self.name} is a {written}, which is not known here; what makes pictures from noise in one call is: "
                f"{', '.join(KINDS)}."
            )
        if self.for_readers and not KINDS[written].reads:
            raise SpecError(
                f"diffusers:{self.name} is a {written} and reads no prompts; it takes no {', '.join(self.for_readers)}."
            )
        if KINDS[written].reads:
            require("transformers", f"diffusers:{self.name}")
        return KINDS[written]


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def _is_installed(package: str) -> bool:
    from importlib.util import find_spec

    return find_spec(package) is not None


def _checkpoint(pipeline: Any) -> None:
    """Keep only what goes into each block of the networks that gradients pass, and compute the rest again on the way back."""
    for part in (pipeline.unet, getattr(pipeline, "vae", None)):
        if part is not None:
            part.enable_gradient_checkpointing()


def _by_classes(pipeline: Any) -> "tuple[tuple[Label, ...], Arguments]":
    """As many classes as the UNet has embeddings for: a thousand are those of ILSVRC in their usual order, others are numbers."""
    from gevaldi.generators._diffusion import classes
    from gevaldi.label_files import ilsvrc_labels
    from gevaldi.models import labels_of

    count = pipeline.unet.config.num_class_embeds or 0
    return ilsvrc_labels() if count == ILSVRC else labels_of(count), classes


def _by_prompts(
    pipeline: Any, asked: "Sequence[tuple[Label, str]] | None", guidance: float
) -> "tuple[tuple[Label, ...], Arguments]":
    from gevaldi.generators._diffusion import EncodedPrompts
    from gevaldi.generators._prompts import prompts_of

    _refuse_upcasting(pipeline)
    labels, prompts = zip(*(asked or prompts_of(TEMPLATE)), strict=True)
    return labels, EncodedPrompts(pipeline, prompts, float(guidance))


def _refuse_upcasting(pipeline: Any) -> None:
    """Some autoencoders overflow in float16; their pipelines convert them to float32 and back, after which no gradient passes."""
    import torch

    if pipeline.vae.dtype == torch.float16 and getattr(pipeline.vae.config, "force_upcast", False):
        raise SpecError("The autoencoder of this pipeline overflows in float16, as its configuration says. Use dtype=bfloat16.")


def _announce(name: str, made: "Generator", dtype: str) -> None:
    """Say what a large generator needs, where it is known: its parameters. What a step adds to them grows with the batch."""
    import torch

    size = sum(p.numel() * p.element_size() for p in made.parameters())
    if size < LARGE:
        return
    free = f"; the GPU has {torch.cuda.mem_get_info()[0] / 1e9:.1f} GB free" if torch.cuda.is_available() else ""
    sys.stderr.write(
        f"gevaldi: the parameters of diffusers:{name} take {size / 1e9:.1f} GB in {dtype}, and every picture of a batch memory on "
        f"top of them{free}\n"
    )
