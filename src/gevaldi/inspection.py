"""What GeValDi understands of a model or a set of pictures: loaded, tried and described, so that its owner can recognise it."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gevaldi.bundled.worlds import WORLDS
from gevaldi.calls import Call
from gevaldi.classifiers import load_classifier
from gevaldi.classifiers import sources as classifiers
from gevaldi.contract import check_classifier
from gevaldi.errors import ContractError, SpecError, UnknownName
from gevaldi.fingerprints import describe_network
from gevaldi.generators import load_generator
from gevaldi.generators import sources as generators
from gevaldi.labels import labels_of
from gevaldi.models import Classifier, Generator, Label
from gevaldi.names import plain
from gevaldi.pictures import sources as pictures
from gevaldi.pictures._layout import PICTURES, RECORDINGS
from gevaldi.pictures.base import RealPictures, Some, brought_to, brought_to_network
from gevaldi.quoting import unquoted
from gevaldi.sounds.log_mel import LogMel
from gevaldi.steps import steps_in_words
from gevaldi.wrappers.listening import listening

SHOWN = 4  # pictures
SIDES = (224, 64, 32, 28)  # tried where neither the pictures nor the classifier say a size
KINDS = (classifiers, generators, pictures)
BUNDLED = {frozenset(label.name for label in labels_of(w.data.classes)): f"bundled:{w.hierarchy}" for w in WORLDS.values()}


@dataclass(frozen=True)
class Inspection:
    """What was understood.

    Attributes:
        lines: (what, value) pairs in the order in which they are read.
        strips: rows of pictures by title, each in [0, 1].
        fault: why no run would take the model; empty if nothing speaks against it.
    """

    lines: list[tuple[str, str]]
    strips: dict[str, list[Float[Tensor, "channels height width"]]] = field(default_factory=dict)
    fault: str = ""


def inspect(name: str, real: str | None = None) -> Inspection:
    """Load a classifier, a generator or a set of pictures by its name and say what it is.

    Args:
        name: as `gevaldi compare` takes it, such as timm:resnet50.a1_in1k or folder:DIR.
        real: pictures to show to a classifier; by default bundled ones for a classifier of digits or garments, otherwise noise.

    Raises:
        UnknownName, SpecError, WeightsError, DataError: it cannot be loaded; the message says why.
    """
    found = _load(name)
    if isinstance(found, RealPictures):
        return _of_pictures(name, found)
    return _of_generator(name, found) if isinstance(found, Generator) else _of_classifier(name, found, real)


def _load(name: str) -> Any:
    """A model or pictures, whichever source knows the name."""
    called = Call.parse(name).name
    source, colon, _ = called.partition(":")
    kinds = [kind for kind in KINDS if source in kind.registry.names()]
    if not kinds and source.endswith(".py"):
        return load_classifier(name)  # which says how a function in a file is named
    if not kinds and not colon and os.path.exists(unquoted(called)):
        raise SpecError(f"{called} is a path, and is named by its source. {_path_advice(Path(unquoted(called)))}")
    if not kinds:
        raise UnknownName("model or set of pictures", name, [known for kind in KINDS for known in kind.names()])
    exact = [kind for kind in kinds if Call.parse(name).name in kind.names()]
    found = (exact or kinds)[0].load(name)
    if isinstance(found, Classifier):
        return load_classifier(name)
    if isinstance(found, Generator):
        return load_generator(name)
    if isinstance(found, RealPictures):
        return found
    raise SpecError(
        f"{name} gave a {type(found).__name__}; a classifier, a generator or pictures were expected. Wrap a module in one line: "
        "gevaldi.classifier(module, labels=10)"
    )


def _of_network(name: str, kind: str, network: Classifier | Generator) -> list[tuple[str, str]]:
    about = describe_network(network, name)
    files = [("file", f"{plain(path, None)}, SHA-256 {digest}") for path, digest in sorted(network.files.items())]
    note = [("note", about["note"])] if about["note"] else []
    return [
        (kind, str(about["name"])),
        ("parameters", f"{about['parameters']:,}"),
        ("weights", f"SHA-256 {about['sha256']}"),
        *(files or [("files", "none: random weights, or made by your own code")]),
        *note,
    ]


def _of_classifier(name: str, classifier: Classifier, real: str | None) -> Inspection:
    about = describe_network(classifier, name)
    lines = [*_of_network(name, "classifier", classifier), ("classes", _labels(classifier.labels))]
    for i, step in enumerate(steps_in_words(about["settings"]), 1):
        lines.append((f"step {i}", step))
    if classifier.hears:
        lines.append(("hears", f"waveforms of {classifier.hears:,} Hz"))
    lines.append(("real pictures", "by the pipeline of its own package" if classifier.official else "by the same steps"))
    classifier = listening(classifier, pictures.load(real).sound if real else LogMel())
    shown, source = _shown_to(classifier, about["settings"], real)
    batch = torch.stack([*shown.pictures])
    with torch.no_grad(), _Watch(classifier) as watch:
        log_p = classifier(batch)
    channels, height, width = batch.shape[1:]
    lines += [
        ("tried with", f"{len(batch)} {_colours(channels)} pictures of {height} x {width} from {source}"),
        ("output", f"{tuple(log_p.shape)}, probabilities from {log_p.exp().min():.3g} to {log_p.exp().max():.3g}"),
    ]
    for i, (own, known) in enumerate(zip(log_p, shown.classes, strict=True), 1):
        lines.append((f"picture {i}" + (f" ({known})" if known else ""), _most_probable(own, classifier.labels)))
    strips = {"pictures": list(batch)}
    if watch.seen is not None:
        strips["as the network sees them"] = _visible(watch.seen)
    return Inspection(lines, strips, _fault(classifier, batch))


def _fault(classifier: Classifier, batch: Float[Tensor, "batch channels height width"]) -> str:
    try:
        check_classifier(classifier, batch, "classifier")
    except ContractError as error:
        return str(error)
    return ""


def _most_probable(log_p: Float[Tensor, " classes"], labels: Sequence[Label]) -> str:
    best = log_p.exp().topk(min(3, len(labels)))
    return ", ".join(f"{labels[i].name} {p:.2f}" for p, i in zip(best.values.tolist(), best.indices.tolist(), strict=True))


def _of_generator(name: str, generator: Generator) -> Inspection:
    prior, conditions = generator.prior, generator.conditions
    chosen = [i * len(conditions) // SHOWN for i in range(SHOWN)] if conditions else [0] * SHOWN
    with torch.no_grad():
        drawn = generator(prior.sample(range(SHOWN)), torch.tensor(chosen))
    channels, height, width = drawn.shape[1:]
    lines = [
        *_of_network(name, "generator", generator),
        ("prior", f"{type(prior).__name__} over latents of shape {tuple(prior.shape)}"),
        ("conditions", _labels(conditions) if conditions else "none"),
        (
            "pictures",
            f"{'grey' if channels == 1 else 'colour'}, {height} x {width}, values from {drawn.min():.3g} to {drawn.max():.3g}",
        ),
    ]
    if conditions:
        lines.append(("drawn here", ", ".join(conditions[i].name for i in chosen)))
    return Inspection(lines, {"drawn": [*drawn.clamp(0, 1)]})


def _path_advice(path: Path) -> str:
    """How a file or a folder is named as a model or as pictures."""
    of_file = (pictures,) if path.suffix.lower() in PICTURES.suffixes | RECORDINGS.suffixes else (classifiers,)
    kinds = (pictures, classifiers, generators) if path.is_dir() else of_file
    return " ".join(kind.name_path(path) for kind in kinds if kind.name_path)


def _of_pictures(name: str, found: RealPictures) -> Inspection:
    some = brought_to(found, (3, *found.pictures[0].shape[1:]), SHOWN)
    classes = sorted({known for known in found.classes if known})
    unknown = sum(known is None for known in found.classes)
    first = found.pictures[0]
    lines = [
        ("pictures", f"{len(found.pictures):,} from {name}"),
        ("classes", f"{len(classes):,}: {_few(classes)}" if classes else "none known"),
        *([("without a class", f"{unknown:,}")] if unknown and classes else []),
        ("first picture", f"{first.shape[1]} x {first.shape[2]} pixels, values from {first.min():.3g} to {first.max():.3g}"),
        ("shown", ", ".join(str(known or "no class") for known in some.classes)),
    ]
    return Inspection(lines, {"pictures": [*some.pictures]})


def _labels(labels: Sequence[Label]) -> str:
    ids = sum(label.id is not None for label in labels)
    with_ids = f", {'all' if ids == len(labels) else f'{ids:,}'} with ids" if ids else ", without ids"
    names = [label.name if label.id is None else f"{label.name} ({label.id})" for label in labels]
    return f"{len(labels):,}{with_ids}: {_few(names)}"


def _colours(channels: int) -> str:
    return "grey" if channels == 1 else "colour"


def _few(names: Sequence[str]) -> str:
    shown = [plain(name) for name in names]
    return ", ".join(shown if len(shown) <= 10 else [*shown[:3], "...", shown[-1]])


def _shown_to(classifier: Classifier, settings: Mapping[str, Mapping[str, Any]], real: str | None) -> tuple[RealPictures, str]:
    """Pictures for a classifier, of a size and with channels that it takes, and where they are from."""
    real = real or BUNDLED.get(frozenset(label.name for label in classifier.labels))
    found = pictures.load(real) if real else _noise()
    crops = [tuple(part["crop"]) for part in settings.values() if part.get("crop")]
    own = tuple(found.pictures[0].shape[1:]) if real in BUNDLED.values() else None
    error: SpecError | None = None
    for size in [*crops, *([own] if own else []), *((side, side) for side in SIDES)]:
        try:
            fitted = brought_to_network(found, size, classifier, "Pass pictures that it takes with --pictures.", SHOWN)
        except SpecError as trouble:
            error = error or trouble
        else:
            return RealPictures(fitted, _classes_of(found, fitted)), real or "noise"
    assert error
    raise error


def _classes_of(found: RealPictures, fitted: Some) -> list[str | None]:
    return [found.classes[i] for i in fitted.places]


def _noise() -> RealPictures:
    random = torch.Generator().manual_seed(0)
    return RealPictures([torch.rand(3, 224, 224, generator=random) for _ in range(SHOWN)], [None] * SHOWN)


class _Watch:
    """Within it, keeps the first input of the first part of a network that has weights of its own."""

    def __init__(self, network: nn.Module) -> None:
        self._parts = [part for part in network.modules() if any(True for _ in part.parameters(recurse=False))]
        self.seen: Tensor | None = None

    def __enter__(self) -> "_Watch":
        self._hooks = [part.register_forward_pre_hook(self._keep) for part in self._parts[:1]]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _keep(self, _: nn.Module, inputs: Iterable[Any]) -> None:
        given = next(iter(inputs), None)
        if self.seen is None and isinstance(given, Tensor) and given.dim() == 4:
            self.seen = given.detach().float().cpu()


def _visible(seen: Float[Tensor, "batch channels height width"]) -> list[Tensor]:
    """What enters a network as pictures: its range over all of them becomes [0, 1]."""
    low, high = seen.min(), seen.max()
    return [*((seen[:, :3] if seen.shape[1] >= 3 else seen[:, :1]) - low) / (high - low).clamp_min(1e-12)]


def as_picture(strips: Mapping[str, Sequence[Tensor]], side: int = 128) -> Any:
    """The rows of an inspection under each other, as a PIL picture."""
    from PIL import Image

    sheet = Image.new("RGB", (SHOWN * (side + 8) + 8, len(strips) * (side + 8) + 8), "white")
    for row, strip in enumerate(strips.values()):
        for column, tensor in enumerate(strip):
            levels = (tensor.expand(3, -1, -1).clamp(0, 1) * 255).round().byte().movedim(0, -1).numpy()
            scale = side / max(levels.shape[:2])
            picture = Image.fromarray(np.ascontiguousarray(levels))
            high, wide = (max(1, round(length * scale)) for length in levels.shape[:2])
            how = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.LANCZOS
            sheet.paste(picture.resize((wide, high), how), (8 + column * (side + 8), 8 + row * (side + 8)))
    return sheet
