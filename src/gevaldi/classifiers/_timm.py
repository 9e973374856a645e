"""Models of timm in folders and on the hub, under timm's own names for them: `local-dir:FOLDER` and `hf-hub:OWNER/NAME`."""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gevaldi.classifiers._hub import WEIGHTS, is_cached, note_model, refuse_without_network
from gevaldi.classifiers._preprocessing import Preprocessing
from gevaldi.errors import SpecError, WeightsError
from gevaldi.fetching import announce
from gevaldi.models import Label
from gevaldi.storage import local_path

CONFIG = "config.json"
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
WORDNET_ID = re.compile(r"n\d{8}")


@dataclass(frozen=True)
class Origin:
    """Where a model lies that is not one of timm's own.

    Attributes:
        name: what timm is asked for.
        shown: what reports call it.
        said: what the user wrote.
        folder: where it lies; None for the hub.
    """

    name: str
    shown: str
    said: str
    folder: Path | None = None

    def trained(self) -> Any:
        """The network with its weights.

        Raises:
            WeightsError: they cannot be fetched or read, or are of another architecture.
        """
        import timm

        try:
            network = timm.create_model(self.name, pretrained=True)
        except Exception as error:  # of whatever kind the readers of damaged folders raise
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            hint = " For a file that holds more than tensors say weights=FILE,pickle=true." if "Weights only load" in reason else ""
            raise WeightsError(f"{self.said} cannot be loaded: {reason.rstrip('.')}.{hint}") from error
        note_model(str(self.folder) if self.folder else self.said.rpartition(":")[2])
        return network


def origin_of(name: str) -> Origin | None:
    """Where a model lies by its name; None for the names that timm itself knows.

    Raises:
        WeightsError: there is no such folder, or it is neither in the hub's cache nor can the hub be reached.
        SpecError: what is there is no model of timm, or the name has none of timm's prefixes.
    """
    source, colon, place = name.partition(":")
    kind = source.lower().replace("_", "-") if colon else ""
    if kind == "local-dir":
        return _in_folder(local_path(place), f"timm:{name}")
    if kind == "hf-hub":
        return _on_hub(place, f"timm:{name}")
    if (local_path(name) / CONFIG).is_file():
        return _in_folder(local_path(name), f"timm:{name}")
    if "/" in name or colon:
        raise SpecError(
            f"timm has no model {name!r}. One in a folder is timm:local-dir:FOLDER, one of the hub timm:hf-hub:OWNER/NAME."
        )
    return None


def _in_folder(folder: Path, said: str, shown: str | None = None) -> Origin:
    from timm import is_model
    from timm.models import split_model_name_tag

    if not (folder / CONFIG).is_file():
        raise WeightsError(f"There is no {CONFIG} in {str(folder)!r}; a folder that timm's save_for_hf() wrote was expected.")
    try:
        stated = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise WeightsError(f"{folder / CONFIG} cannot be read: {error}.") from error
    architecture = stated.get("architecture") if isinstance(stated, dict) else None
    if not isinstance(architecture, str) or not is_model(split_model_name_tag(architecture)[0]):
        came = f"architecture {architecture!r} that timm does not know" if architecture else "no architecture that timm knows"
        other = f" Is it transformers:{folder}?" if isinstance(stated, dict) and "model_type" in stated else ""
        raise SpecError(f"{folder / CONFIG} names {came}.{other}")
    if stated.get("model_type") and stated.get("model_args", {}) is None:  # at which timm fails
        raise SpecError(f"{folder} was written by transformers, and timm does not read it: name it transformers:{folder}.")
    return Origin(f"local-dir:{folder}", shown or folder.resolve().name, said, folder)


def _on_hub(place: str, said: str) -> Origin:
    from huggingface_hub import try_to_load_from_cache

    hub_id, _, revision = place.partition("@")
    if not HUB_ID.fullmatch(hub_id):
        raise SpecError(f"{said} names no model of the Hugging Face hub; timm:hf-hub:OWNER/NAME was expected.")
    config = try_to_load_from_cache(hub_id, CONFIG, revision=revision or None)
    if isinstance(config, str) and is_cached(hub_id, WEIGHTS, revision or None):
        return _in_folder(Path(config).parent, said, place)  # without asking the hub whether it is the newest
    try:
        announce(f"{said} from the Hugging Face hub", "name a folder: timm:local-dir:FOLDER")
        refuse_without_network()
    except OSError as error:
        raise WeightsError(
            f"{said} is not at hand, and the Hugging Face hub cannot be reached ({error}). Fetch it where there is a network, with "
            f"`hf download {hub_id} --local-dir FOLDER`, and name the folder: timm:local-dir:FOLDER."
        ) from error
    return Origin(f"hf-hub:{place}", place, said)


def labels_stated(network: Any) -> tuple[Label, ...] | None:
    """The labels that a model's configuration brings along; None if it brings none."""
    from gevaldi.label_files import with_ids

    stated = getattr(network, "pretrained_cfg", None) or {}
    names, described = stated.get("label_names"), stated.get("label_descriptions")
    if not isinstance(names, list | tuple) or len(names) != network.num_classes:
        return None
    words = [str(described.get(name, name)) if isinstance(described, dict) else str(name) for name in names]
    known = with_ids(words)
    if known[0].id is None and all(WORDNET_ID.fullmatch(str(name)) for name in names):
        return tuple(Label(word, str(name)) for word, name in zip(words, names, strict=True))
    return known


def preprocessing_as(stated: dict[str, Any], said: str) -> Preprocessing:
    """What a configuration of timm, as its `resolve_data_config` gives it, does to pictures.

    Raises:
        SpecError: it cuts them in a way that is not known here.
    """
    _, height, width = stated["input_size"]
    if stated["crop_mode"] not in ("center", "squash"):
        raise SpecError(f"{said} prepares pictures by crop_mode={stated['crop_mode']!r}; only center and squash are known here.")
    resize = math.floor(min(height, width) / stated["crop_pct"])
    return Preprocessing(resize, (height, width), stated["mean"], stated["std"], stated["interpolation"], stated["crop_mode"])
