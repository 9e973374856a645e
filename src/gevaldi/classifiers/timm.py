"""Classifiers of timm, the largest collection of image models."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from gevaldi.classifiers._hub import is_cached as _is_cached
from gevaldi.classifiers._hub import note_model as _note_model
from gevaldi.classifiers._hub import refuse_without_network as _refuse_without_network
from gevaldi.errors import MissingExtra, SpecError, UnknownName, WeightsError
from gevaldi.fetching import announce
from gevaldi.provenance import note_files
from gevaldi.storage import local_path

if TYPE_CHECKING:
    from gevaldi.models import Classifier, Label

CONFIGURED = re.compile(r"['\"](\w+\.\w+)['\"]\s*:\s*_\w*cfg\w*\(")


class Timm:
    """Classifiers of timm by its own names: `timm:resnet50.a1_in1k`, `timm:convnext_base.fb_in22k_ft_in1k`.

    Also `timm:local-dir:FOLDER` for a folder that timm's `save_for_hf` wrote, and `timm:hf-hub:OWNER/NAME` for others of the hub.
    Options: `weights=FILE` (safetensors, or a PyTorch file of tensors) in place of those from the Hugging Face hub,
    `weights=random` for none; `classes=10,labels=FILE` for weights with other classes; `key=` where a file holds several sets;
    `pickle=true` for a PyTorch file that holds more than tensors. For weights that were trained on pictures prepared otherwise:
    `mean` and `std`, a number, `[0.485,0.456,0.406]` or `imagenet`; `size` of the pictures, which are then not cut. Needs
    `pip install 'gevaldi[timm]'`.
    """

    def names(self) -> list[str]:
        """All with weights, read from timm's files without importing it; none where it is not installed."""
        return _names()

    def load(
        self,
        name: str,
        /,
        *,
        weights: str | None = None,
        classes: int | None = None,
        labels: int | str | None = None,
        key: str | None = None,
        pickle: bool = False,
        mean: float | list[float] | str | None = None,
        std: float | list[float] | str | None = None,
        size: int | None = None,
    ) -> "Classifier":
        """The classifier with the preprocessing and the labels that its configuration states.

        Raises:
            MissingExtra: timm is not installed.
            UnknownName: timm has no such model.
            SpecError: it is no classifier of a known set of classes, its preprocessing is of a kind that is not known here, or the
                labels are too few or too many.
            WeightsError: the weights cannot be fetched or read, or are of another architecture.
        """
        if find_spec("timm") is None:
            raise MissingExtra("timm", f"timm:{name}", "timm")
        import timm
        import torch
        from timm.data import create_transform, resolve_model_data_config

        from gevaldi.checkpoints import fill
        from gevaldi.classifiers._imagenet import RANDOM, prepared
        from gevaldi.classifiers._labels import classes_told, labels_told, refuse_classes
        from gevaldi.classifiers._preprocessing import normalisation
        from gevaldi.classifiers._timm import origin_of, preprocessing_as

        names = {*timm.list_pretrained(), *timm.list_models()}
        origin = None if name in names else origin_of(name)
        if origin is None and name not in names:
            raise UnknownName("timm model", name, names)
        architecture, shown = (origin.name, origin.shown) if origin else (name, name)
        count, note = classes_told(classes, labels if weights else None, f"timm:{name}"), None
        if weights is None and origin is None and (published := timm.get_pretrained_cfg(name)):
            refuse_classes(count, published.num_classes, f"timm:{name}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            options = {} if count is None else {"num_classes": count}
            if weights is None:
                network = origin.trained() if origin else _fetched(name)
            else:
                network = timm.create_model(architecture, pretrained=False, **options)
        if weights and weights != RANDOM:
            note = fill(network, local_path(weights), allow_pickle=pickle, key=key, remedy=f"Are they of timm's {name}?")
        changed: dict[str, Any] = normalisation(mean, std)
        changed |= {"input_size": (3, size, size), "crop_pct": 1.0} if size else {}
        stated = resolve_model_data_config(network, changed)
        transform = create_transform(**stated, is_training=False)
        trusted = weights in (None, RANDOM) and not any(changed.values())
        given = count is not None or labels is not None
        known = labels_told(labels, int(network.num_classes), f"timm:{name}") if given else _labels(network, name)
        return prepared(network, preprocessing_as(stated, f"timm:{name}"), known, shown, transform, trusted=trusted, note=note)


@cache
def _names() -> list[str]:
    found = find_spec("timm")
    folders = found.submodule_search_locations if found and found.submodule_search_locations else []
    files = [file for folder in folders for file in sorted((Path(folder) / "models").glob("*.py"))]
    return sorted({name for file in files for name in CONFIGURED.findall(file.read_text(encoding="utf-8"))})


def _fetched(name: str) -> Any:
    import timm

    known = timm.get_pretrained_cfg(name)
    place = f"the Hugging Face hub ({known.hf_hub_id})" if known and known.hf_hub_id else getattr(known, "url", None) or "nowhere"
    without = f"timm:{name},weights=FILE"
    try:
        if known and not _is_here(known):
            announce(f"timm:{name} from {place}", f"name a file: {without}")
            if known.hf_hub_id:
                _refuse_without_network()
        network = timm.create_model(name, pretrained=True)
        if known and known.hf_hub_id:
            _note_model(known.hf_hub_id)
        elif known:
            note_files([_in_cache_of_torch(known)])
        return network
    except Exception as error:  # of whatever kind the readers of damaged weights raise
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise WeightsError(
            f"The weights of timm:{name} are not at hand: they could not be fetched from {place}, or are damaged ({reason}). Fetch "
            f"them where there is a network and name the file, {without}. For an untrained network, weights=random."
        ) from error


def _is_here(known: Any) -> bool:
    """Whether weights lie in the cache of the hub or, of those that have an address of their own, of torch."""
    return _is_cached(known.hf_hub_id) if known.hf_hub_id else _in_cache_of_torch(known).is_file()


def _in_cache_of_torch(known: Any) -> Path:
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(known.url or "").path).name


def _labels(network: Any, name: str) -> "tuple[Label, ...]":
    """Names and WordNet ids for the subsets of ImageNet that timm knows; numbers for other sets of classes."""
    from timm.data import ImageNetInfo, infer_imagenet_subset

    from gevaldi.classifiers._timm import labels_stated
    from gevaldi.label_files import ilsvrc_labels
    from gevaldi.models import Label, labels_of

    if not network.num_classes:
        raise SpecError(f"timm:{name} has no classes: it gives features. Choose a model that was trained to classify.")
    stated = labels_stated(network)
    if stated is not None:
        return stated
    subset = infer_imagenet_subset(network)
    if subset is None:
        return labels_of(int(network.num_classes))
    if network.num_classes == 1000:
        return ilsvrc_labels()
    known = ImageNetInfo(subset)
    return tuple(Label(known.index_to_description(i), known.index_to_label_name(i)) for i in range(known.num_classes()))
