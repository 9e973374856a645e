"""ImageNet classifiers of torchvision."""

import re
import sys
from contextlib import redirect_stdout
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.errors import SpecError, UnknownName, WeightsError
from gevaldi.fetching import announce
from gevaldi.provenance import note_files
from gevaldi.storage import local_path

if TYPE_CHECKING:
    from gevaldi.models import Classifier

CLASSES = 1000  # of ImageNet
REGISTERED = re.compile(r"@register_model\(\)\n(?:@.*\n)*def (\w+)\(")


class Torchvision:
    """ImageNet classifiers of torchvision: `torchvision:squeezenet1_0`, `torchvision:resnet50@IMAGENET1K_V1`.

    Options: `weights=FILE` (safetensors, or a PyTorch file of tensors) in place of those that torchvision fetches and keeps,
    `weights=random` for none; `classes=10,labels=FILE` for weights with other classes than ImageNet's; `key=` where a file holds
    several sets; `pickle=true` for a PyTorch file that holds more than tensors. For weights that were trained on
    pictures prepared otherwise: `mean` and `std`, a number, `[0.485,0.456,0.406]` or `imagenet`; `size` of the pictures;
    `padding=tensorflow` for those of a network that was trained there.
    """

    def names(self) -> list[str]:
        """All of them, read from torchvision's files without importing it."""
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
        padding: str = "torch",
    ) -> "Classifier":
        """The classifier with the preprocessing that belongs to its weights; of several weights, `NAME@TAG` says which.

        Raises:
            UnknownName: torchvision has no such classifier, or no such weights of it.
            SpecError: a number is impossible, the padding of a kind that is not known, or the labels are too few or too many.
            WeightsError: the weights cannot be fetched or read, or are of another architecture.
        """
        import torch
        from torchvision.models import get_model

        from gevaldi.checkpoints import fill
        from gevaldi.classifiers._imagenet import RANDOM, prepared
        from gevaldi.classifiers._labels import classes_told, labels_told, refuse_classes
        from gevaldi.classifiers._padding import pad_as_tensorflow
        from gevaldi.label_files import ilsvrc_labels

        model, _, tag = name.partition("@")
        if model not in _names():
            raise UnknownName("torchvision classifier", model, _names())
        entry = _entry(model, tag)
        # Trained weights of these two expect pictures normalised in another way, which torchvision sees to only if it loads them.
        count, note = classes_told(classes, labels if weights else None, f"torchvision:{name}"), None
        if weights is None:
            refuse_classes(count, CLASSES, f"torchvision:{name}")
        special = model in ("googlenet", "inception_v3")
        options = {"transform_input": True, "init_weights": weights == RANDOM} if special else {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            network = get_model(model, weights=None, num_classes=count or CLASSES, **options)
        if weights is None:
            _fill(network, entry, name)
        elif weights != RANDOM:
            note = fill(network, local_path(weights), allow_pickle=pickle, key=key, remedy=f"Are they of torchvision's {model}?")
        if padding == "tensorflow":
            pad_as_tensorflow(network)
        elif padding != "torch":
            raise SpecError(f"padding={padding!r} was given; torch or tensorflow was expected.")
        changed = _changed(entry, mean, std, size)
        transform = entry.transforms(**changed)
        trusted = weights in (None, RANDOM) and not changed and padding == "torch"
        given = count is not None or labels is not None
        known = labels_told(labels, count or CLASSES, f"torchvision:{name}") if given else ilsvrc_labels()
        return prepared(network, _preprocessing(transform), known, name, transform, trusted=trusted, note=note)


@cache
def _names() -> list[str]:
    found = find_spec("torchvision")
    folders = found.submodule_search_locations if found and found.submodule_search_locations else []
    files = [file for folder in folders for file in sorted((Path(folder) / "models").glob("*.py"))]
    return sorted(name for file in files for name in REGISTERED.findall(file.read_text(encoding="utf-8")))


def _entry(model: str, tag: str) -> Any:
    """torchvision's record of some weights: where they are, and how pictures were prepared for them."""
    from torchvision.models import get_model_weights

    known = get_model_weights(model)
    if tag and tag not in known.__members__:
        raise UnknownName(f"set of weights of torchvision:{model}", tag, known.__members__)
    return known[tag] if tag else known.DEFAULT


def _changed(entry: Any, mean: Any, std: Any, size: int | None) -> dict[str, Any]:
    """What a user wants otherwise in the preparation of pictures; the shorter side keeps its proportion to the crop."""
    from gevaldi.classifiers._preprocessing import normalisation

    changed: dict[str, Any] = normalisation(mean, std)
    if size is not None:
        known = entry.transforms()
        changed |= {"crop_size": size, "resize_size": round(size * known.resize_size[0] / known.crop_size[0])}
    return {key: value for key, value in changed.items() if value is not None}


def _preprocessing(preset: Any) -> Any:
    from gevaldi.classifiers._preprocessing import Preprocessing

    (crop,), (resize,) = preset.crop_size, preset.resize_size
    return Preprocessing(resize, (crop, crop), preset.mean, preset.std, preset.interpolation)


def _fill(network: Any, entry: Any, name: str) -> None:
    """Put in the weights of torchvision's cache, fetched before where they are not there, and checked against their hash."""
    from urllib.parse import urlparse

    import torch

    target = Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(entry.url).path).name
    without = f"torchvision:{name},weights=FILE"
    try:
        if not target.exists():
            announce(f"weights from {entry.url} to {target}", f"name a file: {without}")
        with redirect_stdout(sys.stderr):  # where torch tells of a download
            network.load_state_dict(entry.get_state_dict(progress=sys.stderr.isatty(), check_hash=True, weights_only=True))
        note_files([target])
    except Exception as error:  # of whatever kind the reader of damaged weights raises
        raise WeightsError(
            f"The weights of torchvision:{name} are not at hand: {entry.url} could not be fetched to {target}, or is damaged "
            f"there ({error}). Fetch that file where there is a network and name it, {without}, or put it there. For an untrained "
            "network, weights=random."
        ) from error
