"""What diffusers loads: from a folder, from the hub's cache, or from the hub itself, which is said in one line first."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from gevaldi.classifiers._hub import refuse_without_network
from gevaldi.errors import GevaldiError, MissingExtra, WeightsError
from gevaldi.fetching import announce

Loaded = TypeVar("Loaded")


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
        WeightsError: it is not at hand and cannot be fetched, or is damaged.
    """
    require("diffusers", name)
    try:
        try:
            return _undisturbed(load, only_here=True)
        except Exception as error:
            if isinstance(error, GevaldiError) or Path(place).is_dir():
                raise
        _refuse_what_is_no_hub_id(place)
        announce(f"{name} from the Hugging Face hub", "name a local folder")
        refuse_without_network()
        return _undisturbed(load, only_here=False)
    except GevaldiError:
        raise
    except Exception as error:  # whatever the readers of configurations and weights may raise
        reason = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
        raise WeightsError(
            f"{name} is not at hand: {reason}. Name a local folder that holds its configuration and safetensors, or fetch it where "
            "there is a network (`hf download`)."
        ) from error


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
