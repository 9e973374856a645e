"""Image and audio classifiers of Hugging Face transformers."""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.classifiers._hub import is_cached, note_model, refuse_without_network
from gevaldi.errors import GevaldiError, MissingExtra, SpecError, WeightsError
from gevaldi.fetching import announce
from gevaldi.storage import local_path

if TYPE_CHECKING:
    from gevaldi.models import Classifier

CONFIG, PROCESSORS = "config.json", ("preprocessor_config.json", "processor_config.json")
SAFE = ("model.safetensors", "model.safetensors.index.json")
PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
NUMBERED = "LABEL_"  # how transformers names classes of which it knows nothing
HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
IMAGE, AUDIO = "AutoModelForImageClassification", "AutoModelForAudioClassification"
OTHER_PROBLEMS = ("regression", "multi_label_classification")


class Transformers:
    """Image and audio classifiers of Hugging Face transformers, from the hub or a folder: `transformers:microsoft/resnet-50`.

    Options: `weights=FILE` (safetensors, or a PyTorch file of tensors) in place of those that belong to it, `weights=random` for
    none; `classes=10,labels=FILE` for weights with other classes than its configuration; `key=` where a file holds several sets;
    `pickle=true` for PyTorch files, which can hold more than tensors; `revision=` of the hub; `labels=imagenet` or a file of names
    where its configuration has none. Needs `pip install 'gevaldi[transformers]'`.
    """

    def names(self) -> list[str]:
        """None that could be known beforehand."""
        return []

    def load(
        self,
        name: str,
        /,
        *,
        weights: str | None = None,
        classes: int | None = None,
        key: str | None = None,
        pickle: bool = False,
        revision: str | None = None,
        labels: int | str | None = None,
    ) -> "Classifier":
        """The classifier with the preprocessing and the labels that its configuration states.

        Raises:
            MissingExtra: transformers is not installed.
            WeightsError: the model cannot be found, fetched or read, or has no classifier's head.
            SpecError: it is no classifier of pictures or sound, or its preprocessing is of a kind that is not known here.
        """
        if find_spec("transformers") is None:
            raise MissingExtra("transformers", f"transformers:{name}", "transformers")
        from gevaldi.checkpoints import fill
        from gevaldi.classifiers._imagenet import RANDOM, prepared
        from gevaldi.classifiers._labels import classes_told, labels_told, refuse_classes
        from gevaldi.classifiers._transformers import Logits, preprocessing_of

        place = place_of(name, (CONFIG,) if weights else (*SAFE, *(PICKLED if pickle else ())), revision)
        with quiet(place), answering(name):
            config = _config(place, name)
            count, note = classes_told(classes, labels if weights else None, f"transformers:{name}"), None
            if weights is None:
                refuse_classes(count, config.num_labels, f"transformers:{name}")
            elif count not in (None, config.num_labels):
                config.num_labels = count  # which forgets the names of the others
            task = _task(config)
            network = _untrained(config, task) if weights else _trained(place, config, task, pickle, name)
            processor = _processor(place, task)
            note_model(place.where, (CONFIG,), place.revision)
        if weights and weights != RANDOM:
            note = fill(network, local_path(weights), allow_pickle=pickle, key=key, remedy=f"Are they of transformers:{name}?")
        known = labels_told(labels, config.num_labels, f"transformers:{name}", _names_in(config))
        official, trusted = partial(_prepared_by, processor), weights in (None, RANDOM)
        if task == AUDIO:
            from gevaldi.classifiers._audio import hearing

            heard = hearing(network, processor, known, place.name, name, trusted)
            heard.note = note
            return heard
        preprocessing = preprocessing_of(processor, name)
        return prepared(Logits(network.float()), preprocessing, known, place.name, official, trusted=trusted, note=note)


@dataclass(frozen=True)
class Place:
    """Where a model is: a folder, or an id of the hub; and whether all of it lies on this machine."""

    where: str
    name: str
    local: bool
    revision: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """What every loader of transformers is told: never to run code that comes with a model."""
        return {"local_files_only": self.local, "revision": self.revision, "trust_remote_code": False}


def place_of(name: str, weights: Sequence[str], revision: str | None) -> Place:
    """A folder, or an id of the hub, fetched only if some of its files, of the weights any, are not in the cache.

    Raises:
        WeightsError: it is neither, or is not in the cache and there is no network.
    """
    folder = local_path(name)
    if folder.is_dir():
        lacking = [] if (folder / CONFIG).is_file() else [CONFIG]
        if not lacking and not any((folder / file).is_file() for file in PROCESSORS) and not _is_of_timm(folder / CONFIG):
            lacking = [PROCESSORS[0]]
        if lacking:
            raise WeightsError(f"There is no {lacking[0]} in {folder}; a folder that save_pretrained() wrote was expected.")
        return Place(str(folder), folder.resolve().name, local=True)
    if not HUB_ID.fullmatch(name):
        raise WeightsError(f"There is no folder {name!r}, and an id of the Hugging Face hub looks like microsoft/resnet-50.")
    if is_cached(name, weights, revision) and _knows_its_preprocessing(name, revision):
        return Place(name, name, local=True, revision=revision)
    try:
        announce(f"transformers:{name} from the Hugging Face hub", "name a folder")
        refuse_without_network()
    except OSError as error:
        raise WeightsError(
            f"transformers:{name} is not at hand, and the Hugging Face hub cannot be reached ({error}). Fetch it where there is a "
            f"network, with `hf download {name} --local-dir FOLDER`, and name the folder: transformers:FOLDER."
        ) from error
    return Place(name, name, local=False, revision=revision)


def _knows_its_preprocessing(name: str, revision: str | None) -> bool:
    """Whether the hub's cache has a model's configuration, and that of its preprocessing, which for timm's is the same file."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(name, CONFIG, revision=revision)
    return isinstance(config, str) and (is_cached(name, PROCESSORS, revision) or _is_of_timm(Path(config)))


def _is_of_timm(config: Path) -> bool:
    try:
        return "pretrained_cfg" in json.loads(config.read_text(encoding="utf-8"))
    except (ValueError, TypeError, RecursionError, OSError):
        return False


@contextmanager
def quiet(place: Place) -> Iterator[None]:
    """Without the notes of transformers, which are answered here as errors; with its bars only where something is fetched."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    if place.local or not sys.stderr.isatty():
        logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


@contextmanager
def answering(name: str) -> Iterator[None]:
    """Errors of transformers in one sentence."""
    try:
        yield
    except GevaldiError:
        raise
    except Exception as error:  # whatever its readers of configurations and weights raise
        reason = " ".join(str(error).split())[:400] or type(error).__name__
        hint = " A PyTorch file in place of safetensors is read with pickle=true." if "safetensors" in reason else ""
        raise WeightsError(f"transformers:{name} cannot be loaded: {reason.rstrip('.')}.{hint}") from error


def _config(place: Place, name: str) -> Any:
    """The configuration of a classifier.

    Raises:
        SpecError: it is of something else.
    """
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES as SOUNDS
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES as PICTURES

    config = AutoConfig.from_pretrained(place.where, **place.options)
    config._attn_implementation = None  # which can name code of the hub
    if getattr(config, "model_args", None):  # of timm; transformers says the number of classes besides, and so twice
        config.model_args = {key: value for key, value in config.model_args.items() if key != "num_classes"}
    own = PICTURES.get(config.model_type) or SOUNDS.get(config.model_type, ())
    fitting = (own,) if isinstance(own, str) else own
    said = list(config.architectures or [])
    tasks = [task for task in said if "For" in task and task not in fitting]
    if tasks or not fitting:
        raise SpecError(
            f"transformers:{name} is a {', '.join(said) or config.model_type}; an image or audio classifier was "
            "expected, whose configuration names a class that ends in ForImageClassification, ForAudioClassification or, of "
            "networks such as Wav2Vec2, ForSequenceClassification."
        )
    if config.num_labels < 2 or config.problem_type in OTHER_PROBLEMS:
        problem = f"is for {config.problem_type}" if config.problem_type else f"has {config.num_labels} classes"
        raise SpecError(f"transformers:{name} {problem}; a classifier chooses one of at least two classes.")
    return config


def _task(config: Any) -> str:
    """The class of transformers that makes the network, by what it takes."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES as SOUNDS

    return AUDIO if config.model_type in SOUNDS else IMAGE


def _untrained(config: Any, task: str) -> Any:
    import torch
    import transformers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return getattr(transformers, task).from_config(config)


def _trained(place: Place, config: Any, task: str, pickle: bool, name: str) -> Any:
    """The network with all its weights.

    Raises:
        WeightsError: some are missing, which transformers would draw at random.
    """
    import torch
    import transformers

    kind = {"use_safetensors": None, "weights_only": False} if pickle else {"use_safetensors": True}
    with torch.random.fork_rng(devices=[]):
        network, found = getattr(transformers, task).from_pretrained(
            place.where, config=config, output_loading_info=True, **kind, **place.options
        )
    missing = sorted(found["missing_keys"])
    if missing:
        body = getattr(network, "base_model_prefix", "")
        lacking = "weights" if any(key.startswith(f"{body}.") for key in missing) else "classifier head"
        raise WeightsError(
            f"transformers:{name} has no {lacking}: keys {', '.join(missing[:4])}{', ...' if len(missing) > 4 else ''} missing. A "
            "checkpoint that was trained to classify was expected."
        )
    return network


def _processor(place: Place, task: str) -> Any:
    import transformers

    kind = transformers.AutoFeatureExtractor if task == AUDIO else transformers.AutoImageProcessor
    return kind.from_pretrained(place.where, **place.options)


def _prepared_by(processor: Any, picture: Any) -> Any:
    return processor(picture, return_tensors="pt")["pixel_values"][0]


def _names_in(config: Any) -> list[str]:
    """The names of classes, or none where transformers only numbered them."""
    names = [str(config.id2label[i]) for i in range(config.num_labels)]
    return [] if all(name.startswith(NUMBERED) for name in names) else names
