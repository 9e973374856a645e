"""What sources that fetch from the Hugging Face hub have in common."""

from collections.abc import Sequence
from pathlib import Path

from gevaldi.provenance import note_files

WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")


def is_cached(hub_id: str, files: Sequence[str] = WEIGHTS, revision: str | None = None) -> bool:
    """Whether one of these files of a model lies in the hub's cache on this machine."""
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(hub_id, file, revision=revision), str) for file in files)


def note_model(where: str, files: Sequence[str] = WEIGHTS, revision: str | None = None) -> None:
    """Note the configurations and weights of a model, in its folder or in the snapshot of it in the hub's cache."""
    from huggingface_hub import try_to_load_from_cache

    folder = Path(where)
    if not folder.is_dir():
        cached = [found for file in files if isinstance(found := try_to_load_from_cache(where, file, revision=revision), str)]
        if not cached:
            return
        folder = Path(cached[0]).parent
    note_files(sorted(path for path in folder.rglob("*") if path.suffix in (".json", ".safetensors", ".bin")))


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
