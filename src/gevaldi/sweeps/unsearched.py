"""The matrix before any search: each classifier classifies the same pictures, generated once."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, count
from math import inf
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from gevaldi.alignment import Known, align, target_classes
from gevaldi.classifiers._official import officially
from gevaldi.contract import check_classifier, check_mode, on_device
from gevaldi.divergences import divergence
from gevaldi.divergences.kl import kl
from gevaldi.errors import GevaldiError, describe_error
from gevaldi.execution.autotune import plan_of
from gevaldi.measures.sweeps import DRAWN, REAL, Entry, PairPredictions, entries
from gevaldi.models import Classifier, Generator, Label, Pictures, passes_gradients
from gevaldi.objective import Objective
from gevaldi.pictures import sources
from gevaldi.pictures.base import RealPictures, brought_to
from gevaldi.runs.checks.audit import DRAWN as SMALL_ARE_SHOWN
from gevaldi.runs.checks.audit import DRAWN_BY_LARGE as LARGE_ARE_SHOWN
from gevaldi.runs.checks.audit import OnProgress, batch_of, drawn_pictures, picture_shape
from gevaldi.runs.hierarchy import hierarchy_of, taxonomy_of_spec
from gevaldi.runs.start import chosen_conditions
from gevaldi.runs.worker.setup import Models
from gevaldi.search import registry as algorithms
from gevaldi.spec import Spec
from gevaldi.sweeps.spec import Sweep, limits_of
from gevaldi.taxonomy import Taxonomy, most_probable
from gevaldi.wrappers.listening import listening


@dataclass
class Tables:
    """Every classifier's log-probabilities on the same pictures, over its own labels.

    Attributes:
        classifiers: the classifiers, by name.
        classes: the class of each picture, if known.
        log_ps: log-probabilities of each classifier, batch by batch.
        failed: why other classifiers failed, by name.
    """

    classifiers: Mapping[str, Classifier]
    classes: list[Known] = field(default_factory=list)
    log_ps: dict[str, list[Tensor]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    @torch.no_grad()
    def add(self, pictures: Pictures, classes: Sequence[Known]) -> None:
        """Classify more pictures with all classifiers."""
        for name, classifier in self.classifiers.items():
            if name in self.failed:
                continue
            try:
                if name not in self.log_ps:
                    check_mode(classifier, f"classifier {name}")
                    log_p = check_classifier(classifier, pictures, f"classifier {name}")
                else:
                    log_p = classifier(pictures)
            except Exception as error:  # whatever networks may raise
                self.failed[name] = str(error) if isinstance(error, GevaldiError) else describe_error(error)
            else:
                self.log_ps.setdefault(name, []).append(log_p.cpu())
        self.classes += classes

    @torch.no_grad()
    def replace(self, name: str, real: RealPictures, on_progress: Callable[[int], None]) -> None:
        """Replace a classifier's answers on resized pictures by those of its own pipeline on the unmodified pictures."""
        done = count()
        try:
            log_p = officially(self.classifiers[name], real.pictures, lambda: on_progress(next(done) + 1))
        except Exception as error:  # whatever pipelines may raise
            self.failed[name] = describe_error(error)
        else:
            self.log_ps[name] = [torch.from_numpy(log_p)]

    def of(self, name: str) -> Float[Tensor, "pictures classes"]:
        """All log-probabilities of one classifier."""
        return torch.cat(self.log_ps[name])


class StoredPredictions(Classifier):
    """Returns stored predictions instead of classifying pictures, so that they can be aligned without recomputing them."""

    def __init__(self, labels: Sequence[Label]) -> None:
        super().__init__()
        self.labels = tuple(labels)
        self.eval()

    def forward(self, pictures: Pictures) -> Float[Tensor, "batch classes"]:
        """The rows of a table, as (pictures, 1, 1, classes)."""
        return pictures[:, 0, 0]


def before_search(
    sweep: Sweep,
    specs: Sequence[Spec],
    classifiers: Mapping[str, Classifier],
    generator: Generator,
    device: torch.device,
    taxonomy: Taxonomy | None = None,
    on_progress: OnProgress = lambda done, total: None,
) -> tuple[list[Entry], dict[str, str]]:
    """The matrices of drawn and of real pictures, and why some classifiers are missing from them.

    The drawn pictures are those of the audit of a pair of the largest classifiers: as many, from the same seeds; the audit of a
    pair of small ones may use more. Each picture is generated once and classified once by each classifier; for that, all
    classifiers are on the device together.

    Args:
        sweep: the sweep.
        specs: the specs of its pairs; the first provides the shared settings.
        classifiers: the loaded classifiers, by name.
        generator: the generator of all pairs.
        device: the device to compute on.
        taxonomy: replaces the one that the specs name, if given.
        on_progress: called after every batch with the number of pictures so far, and their total.
    """
    spec = specs[0]
    classifiers = {name: listening(one, generator.sound) for name, one in classifiers.items()}
    widest = max(classifiers.values(), key=lambda one: sum(p.numel() for p in one.parameters()))
    plan, _ = plan_of(spec, Objective(widest, widest, generator, kl, 0.0, all(map(passes_gradients, classifiers.values()))), device)
    models = Models(widest, widest, generator, kl, algorithms.build(spec.search.algorithm), device, plan)
    conditions = chosen_conditions(spec, generator.conditions)
    many = spec.audited or (SMALL_ARE_SHOWN if plan.small else LARGE_ARE_SHOWN)
    with on_device(*classifiers.values(), generator, device=device, dtype=plan.dtype, channels_last=plan.channels_last):
        as_they_are: RealPictures | None = sources.load(spec.real) if spec.real is not None else None
        real = brought_to(as_they_are, picture_shape(models)) if as_they_are else None
        official = [name for name, one in classifiers.items() if one.official]
        total = many + (len(real.pictures) * (1 + len(official)) if real else 0)
        drawn = predictions(classifiers, drawn_pictures(models, conditions, many), partial(_shifted, on_progress, 0, total))
        found, failed = matrices(sweep, drawn, spec, taxonomy, DRAWN), drawn.failed
        if real and as_they_are:
            size, known = batch_of(models), [(name, name) for name in real.classes]
            batches = (
                (torch.stack([*real.pictures[i : i + size]]).to(device, plan.dtype), known[i : i + size])
                for i in range(0, len(real.pictures), size)
            )
            others = {name: one for name, one in classifiers.items() if name not in failed}
            shown = predictions(others, batches, partial(_shifted, on_progress, many, total))
            for i, name in enumerate(name for name in official if name not in shown.failed and name in others):
                before = many + len(real.pictures) * (1 + i)
                shown.replace(name, as_they_are, partial(_shifted, on_progress, before, total))
            found, failed = found + matrices(sweep, shown, spec, taxonomy, REAL), failed | shown.failed
    return found, failed


def _shifted(on_progress: OnProgress, before: int, total: int, done: int) -> None:
    on_progress(before + done, total)


def predictions(
    classifiers: Mapping[str, Classifier], batches: Iterable[tuple[Tensor, list[Known]]], on_progress: Callable[[int], None]
) -> Tables:
    """The log-probabilities of all classifiers on all pictures."""
    tables = Tables(classifiers)
    for pictures, known in batches:
        tables.add(pictures, known)
        on_progress(len(tables.classes))
    return tables


def matrices(sweep: Sweep, tables: Tables, spec: Spec, taxonomy: Taxonomy | None, stage: str) -> list[Entry]:
    """The matrix of each divergence, from the predictions of all classifiers; omits pairs without common classes."""
    cells: dict[str, dict[tuple[str, str], PairPredictions]] = {text: {} for text in sweep.divergences}
    there = [name for name in tables.classifiers if name not in tables.failed]
    for one, other in combinations(there, 2):
        try:
            found = _of_pair(sweep, tables, (one, other), spec, taxonomy)
        except GevaldiError:
            continue  # its comparison reports the problem
        for text, seen, turned in found:
            cells[text] |= {(one, other): seen, (other, one): turned}
    return [entry for text, of_divergence in cells.items() for entry in entries(of_divergence, text, None, stage, limits_of(text))]


def _of_pair(
    sweep: Sweep, tables: Tables, pair: tuple[str, str], spec: Spec, taxonomy: Taxonomy | None
) -> list[tuple[str, PairPredictions, PairPredictions]]:
    """Both cells of a pair under each divergence, over their common classes."""
    given = taxonomy_of_spec(spec, taxonomy)
    sides = [StoredPredictions(tables.classifiers[name].labels) for name in pair]
    aligned = align(sides[0], sides[1], sweep.classes.get(pair[0]), sweep.classes.get(pair[1]), given)
    both = [side(tables.of(name)[:, None, None]) for side, name in zip((aligned.first, aligned.second), pair, strict=True)]
    good = ~(both[0].isnan().any(1) | both[1].isnan().any(1))
    log_p, log_q = (log[good] for log in both)
    labels = aligned.first.labels, aligned.second.labels
    hierarchy = hierarchy_of(spec, given, *labels, torch.device("cpu"))
    size = max(hierarchy.sizes, default=1) if hierarchy else 1
    first, second = most_probable(log_p, size), most_probable(log_q, size)
    places = good.nonzero()[:, 0].tolist()
    meant = {known: target_classes(known, aligned.first) | target_classes(known, aligned.second) for known in set(tables.classes)}
    right = {
        place: (int(first[i, 0]) in wanted, int(second[i, 0]) in wanted)
        for i, place in enumerate(places)
        if (wanted := meant[tables.classes[place]])
    }
    seen: Any = {
        "starts": places,
        "differ": (first[:, 0] != second[:, 0]).numpy(),
        "set_distances": {n: d.numpy() for n, d in hierarchy.along(first, second).items()} if hierarchy else {},
        "right": right,
        "failed": int((~good).sum()),
        "largest": float(hierarchy.matrix.max()) if hierarchy else inf,
    }
    found = []
    for text in sweep.divergences:
        try:
            between = divergence(text, len(labels[0]), hierarchy.taxonomy if hierarchy else None)
        except GevaldiError:
            continue
        there, back = (np.asarray(between(*logs), dtype=float) for logs in ((log_p, log_q), (log_q, log_p)))
        cell = PairPredictions(divergence=there, **seen)
        found.append((text, cell, cell.transposed(back)))
    return found
