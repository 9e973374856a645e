"""What diffusers loads: from a folder, from the hub's cache, or from the hub itself, which is said in one line first."""

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from gevaldi.classifiers._hub import note_model, refuse_without_network
from gevaldi.errors import GevaldiError, MissingExtra, WeightsError
from gevaldi.fetching import announce

Loaded = TypeVar("Loaded")

AUTOENCODERS = ("AsymmetricAutoencoderKL", "AutoencoderKL", "AutoencoderKLFlux2", "AutoencoderTiny", "VQModel")
KNOWN = {  # besides schedulers of diffusers
    "diffusers": (*AUTOENCODERS, "UNet2DConditionModel", "UNet2DModel"),
    "transformers": (
        "CLIPFeatureExtractor",
        "CLIPImageProcessor",
        "CLIPTextModel",
        "CLIPTextModelWithProjection",
        "CLIPTokenizer",
        "CLIPTokenizerFast",
        "CLIPVisionModelWithProjection",
    ),
}
"""Classes that a configuration may name. Of a module or class of any other name, diffusers up to 0.37 ran the code."""


def require(package: str, purpose: str) -> None:
    """That an optional package is installed.

    Raises:
        MissingExtra: it is not.
    """
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise MissingExtra(package, purpose, package)


def loaded(name: str, place: str, load: Callable[[bool], Loaded]) -> Loaded:
    """What `load` finds at a place: on this machine or, where it is not there, on the hub.

    The mode of gradients and the state of the random numbers are left as they were: diffusers once turned gradients off, and its
    networks draw weights before they read them. Its bars are not shown, except of what is fetched.

    Args:
        name: with its source, as a user writes it.
        place: a folder or hub id.
        load: is told whether to look on this machine only.

    Raises:
        MissingExtra: diffusers is not installed.
        WeightsError: it is not at hand and cannot be fetched, or is damaged, or comes with code.
    """
    require("diffusers", name)
    try:
        _refuse_python(name, Path(place))
        found = _loaded_here_or_fetched(name, place, load)
        note_model(place, ("model_index.json", "config.json"))
        return found
    except GevaldiError:
        raise
    except Exception as error:  # whatever the readers of configurations and weights may raise
        reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        raise WeightsError(
            f"{name} is not at hand: {reason}. Name a local folder that holds its configuration and safetensors, or fetch it where "
            "there is a network (`hf download`)."
        ) from error


def _loaded_here_or_fetched(name: str, place: str, load: Callable[[bool], Loaded]) -> Loaded:
    try:
        return _undisturbed(load, only_here=True)
    except Exception as error:
        if isinstance(error, GevaldiError) or Path(place).is_dir():
            raise
    _refuse_what_is_no_hub_id(place)
    announce(f"{name} from the Hugging Face hub", "name a local folder")
    refuse_without_network()
    return _undisturbed(load, only_here=False)


def _refuse_python(name: str, folder: Path) -> None:
    """Networks need no code of their own, and what lies beside weights has been imported before."""
    code = [*folder.glob("*.py"), *folder.glob("*/*.py")]
    if code:
        raise WeightsError(
            f"{name} comes with code, {code[0].relative_to(folder)}, which is never run. Remove it if the weights do "
            "without; otherwise load them in a function of your own, python:FILE:FUNCTION."
        )


def check_components(name: str, config: Mapping[str, Any], left_out: Collection[str]) -> None:
    """That a pipeline is made of classes that are known, before any of them is imported.

    Args:
        name: of the pipeline, as a user writes it.
        config: its model_index.json.
        left_out: components that are not loaded.

    Raises:
        WeightsError: it names another class or module.
    """
    for key, value in config.items():
        if key.startswith("_") or key in left_out or not isinstance(value, list) or value == [None, None]:
            continue
        library, written = map(str, value) if len(value) == 2 else ("", str(value))
        if written not in KNOWN.get(library, ()) and not (library == "diffusers" and written.endswith("Scheduler")):
            known = ", ".join(one for names in KNOWN.values() for one in names)
            raise WeightsError(
                f"The {key} of {name} is a {library}.{written}, which is not known here. Known are schedulers, {known}."
            )


def _undisturbed(load: Callable[[bool], Loaded], *, only_here: bool) -> Loaded:
    import warnings

    import torch
    from diffusers.utils import logging

    shown = logging.is_progress_bar_enabled()
    try:
        logging.disable_progress_bar()
        with torch.enable_grad(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The `local_dir_use_symlinks`")  # which diffusers still says to the hub's client
            return load(only_here)
    finally:
        if shown:
            logging.enable_progress_bar()


def _refuse_what_is_no_hub_id(place: str) -> None:
    from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

    validate_repo_id(place)  # its error says what an id looks like
