"""Pictures of an audit, and what classifiers say of them; within a sweep, each classifier sees them once."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from gevaldi.alignment import Aligned, Known
from gevaldi.models import Classifier
from gevaldi.provenance import record_files
from gevaldi.runs.checks.features import Features

SHOWN = 10  # drawn pictures that a run stores, to show beside as many real ones
ROOM = 2**30  # bytes of predictions that a sweep keeps

Found = TypeVar("Found")


@dataclass
class Shared:
    """What the comparisons of a sweep share, by everything that decides it."""

    known: dict[Hashable, Any] = field(default_factory=dict)
    room: int = ROOM


_shared: ContextVar[Shared | None] = ContextVar("audits of a sweep", default=None)


@contextmanager
def audited_once() -> Iterator[None]:
    """Within it, audits reuse what the same classifiers said of the same pictures; nobody may change the networks meanwhile."""
    before = _shared.set(Shared())
    try:
        yield
    finally:
        _shared.reset(before)


def once(key: Hashable, make: Callable[[], Found], size: Callable[[Found], int] = lambda found: 0) -> Found:
    """What `make` returns; within a sweep it is made once for each key, as long as there is room for its `size` in bytes."""
    shared = _shared.get()
    if shared is None:
        return make()
    if key in shared.known:
        return shared.known[key]  # type: ignore[no-any-return]
    found = make()
    if (bytes_of := size(found)) <= shared.room:
        shared.known[key], shared.room = found, shared.room - bytes_of
    return found


def identity(classifier: Classifier) -> Hashable:
    """What decides a classifier's predictions: the object, and where its classes went if they were aligned."""
    if isinstance(classifier, Aligned):
        moved = classifier.places != tuple(range(len(classifier.labels)))
        return (classifier.inner, classifier.places) if moved else classifier.inner
    return classifier


@dataclass
class Predictions:
    """What a classifier says of pictures.

    Attributes:
        classifier: the classifier.
        log_p: its log-probabilities, batch by batch.
        kept: the probability of the classes that are compared, if some of its own are left out.
        features: of the pictures, if they are needed.
    """

    classifier: Classifier
    features: Features | None
    log_p: list[Tensor] = field(default_factory=list)
    kept: list[Tensor] = field(default_factory=list)

    @torch.no_grad()
    def add(self, pictures: Tensor) -> None:
        """Classify some more pictures."""
        self.log_p.append(self.classifier(pictures).cpu())
        if self.features:
            self.features.take(self.log_p[-1])
        if isinstance(self.classifier, Aligned) and None in self.classifier.places:
            self.kept.append(self.classifier.probability_kept(pictures).cpu())

    @property
    def size(self) -> int:
        """Bytes in memory."""
        tensors = [*self.log_p, *self.kept, *(self.features.vectors if self.features else ())]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


@dataclass
class Shown:
    """Some pictures that were shown to both classifiers.

    Attributes:
        classes: the class of each picture.
        some: the first few pictures.
        files: the files that they were read from.
    """

    classes: list[Known] = field(default_factory=list)
    some: list[Tensor] = field(default_factory=list)
    files: Mapping[str, str] = field(default_factory=dict)


def shown_to(
    classifiers: Mapping[str, Classifier], key: Hashable, batches: Iterable[tuple[Tensor, list[Known]]], dtype: torch.dtype
) -> tuple[Shown, dict[str, Predictions]]:
    """Show pictures to the first and the second classifier, batch by batch, so that any number fits; returns their predictions.

    Within a sweep, only classifiers that have not seen the pictures of this `key` look at them, and if both have, none is made.
    """
    keys = {side: (key, identity(one), side == "second") for side, one in classifiers.items()}
    known = _shared.get().known if _shared.get() else {}  # type: ignore[union-attr]
    done = {side: found for side, own in keys.items() if (found := known.get(own) or known.get((*own[:2], True)))}
    new = {side: Predictions(one, Features(one) if side == "second" else None) for side, one in classifiers.items()}
    new = {side: one for side, one in new.items() if side not in done}
    if not new:
        shown: Shown = known[key]
        with record_files() as files:
            files |= shown.files  # which went into this run, too
        return shown, done
    shown = Shown()
    with ExitStack() as stack:
        shown.files = stack.enter_context(record_files())
        for one in new.values():
            if one.features:
                stack.enter_context(one.features.gathering())
        for pictures, classes in batches:
            shown.some += pictures[: SHOWN - len(shown.some)].cpu()
            shown.classes += classes
            for one in new.values():
                one.add(pictures.to(dtype))
    for side, one in new.items():
        once(keys[side], lambda one=one: one, lambda found: found.size)  # type: ignore[misc]
    return once(key, lambda: shown), done | new
