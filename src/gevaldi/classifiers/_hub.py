"""What sources that fetch from the Hugging Face hub have in common."""

from collections.abc import Sequence

WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")


def is_cached(hub_id: str, files: Sequence[str] = WEIGHTS, revision: str | None = None) -> bool:
    """Whether one of these files of a model lies in the hub's cache on this machine."""
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(hub_id, file, revision=revision), str) for file in files)


def refuse_without_network() -> None:
    """Ask the hub once: where there is no network, its own client tries for the better part of a minute.

    Raises:
        OSError: it cannot be reached.
    """
    from urllib.error import HTTPError
    from urllib.request import urlopen

    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise OSError("HF_HUB_OFFLINE is set")
    try:
        urlopen(constants.ENDPOINT, timeout=10).close()
    except HTTPError:
        return  # it answers
