"""A classifier that is shown pictures otherwise than it was trained to see them, found out by what it then knows.

The commonest mistake of all: a network trained on pictures in [-1, 1] is fed [0, 1], or the other way round. It still runs and is
still sure of itself, so that only pictures of known classes tell.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from scipy.stats import binomtest
from torch import Tensor

from gevaldi.alignment import Aligned, Known, target_classes
from gevaldi.classifiers._preprocessing import Preprocessing
from gevaldi.models import Classifier, ModuleClassifier, Pictures
from gevaldi.pictures import load_pictures
from gevaldi.runs.checks.audit import batch_of, drawn_pictures, picture_shape
from gevaldi.runs.worker.setup import Models
from gevaldi.spec import Spec

LOOKED_AT = 64  # pictures; a network of 1,000 classes that sees them wrongly is found out by fewer
SURE = 0.01  # the chance of a warning where no other preparation is better
GOOD = 0.95  # of the pictures read right: nothing to look for
KNOWING = 0.4  # of what chance leaves: below it, as an untrained network is, any way of showing pictures may win
UNLIKE = 0.05  # the chance below which the second best preparation is not named beside the best


@dataclass(frozen=True)
class Preparation:
    """A usual way for a network to see its pictures, (x - mean) / std with blue or red first, and how to say so."""

    rather: str
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    turned: bool = False

    @property
    def remedy(self) -> str:
        """What the user can do."""
        if self.turned:
            return "Does its network expect that? Turn the colours round in its forward()."
        if (self.mean, self.std) == ((0.0,), (1.0,)):
            return "Does its module normalise them itself? Leave mean and std out."
        deviation = "[1 / 255]" if self.std == BYTES else list(self.std)
        return f"Does its network expect that? Say so: mean={list(self.mean)}, std={deviation}."


BYTES = (1 / 255,)
COLOURS = (
    Preparation("with ImageNet's mean and deviation", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    Preparation("with blue before red", turned=True),
)
USUAL = (
    Preparation("in [-1, 1]", (0.5,), (0.5,)),
    Preparation("in [0, 255]", (0.0,), BYTES),
    Preparation("in [0, 1], without its mean and std"),
)


def range_warnings(models: Models, conditions: Sequence[int], spec: Spec) -> list[str]:
    """Sentences about classifiers that know clearly more pictures when these come in another range or order of colours.

    Looks at real pictures where the run has some, else at those of the generator, as far as their classes are known. Networks whose
    weights and preprocessing come from one package together are not looked at.
    """
    asked = [side for side in ("first", "second") if not getattr(models.classifier(side).official, "trusted", False)]
    if not asked:
        return []
    pictures, classes = _known_pictures(models, conditions, spec)
    pictures = pictures.to(models.device, models.plan.dtype)
    return [warning for side in asked for warning in _warning(side, models, pictures, classes)]


@torch.no_grad()
def _warning(side: str, models: Models, pictures: Pictures, classes: Sequence[Known]) -> list[str]:
    classifier = models.classifier(side)
    meant = [target_classes(known, classifier) for known in classes]
    known = torch.tensor([bool(places) for places in meant])
    if not known.any():
        return []

    def right(seen: Preparation | None) -> Tensor:
        """Which pictures of known classes are read right; none where the network raises an error at them."""
        try:
            with _seeing(classifier, seen) as prepare:
                log_p = torch.cat([classifier(prepare(part)).cpu() for part in pictures.split(batch_of(models))])
        except Exception:
            return torch.zeros(int(known.sum()), dtype=torch.bool)
        return torch.tensor([top in places for top, places in zip(log_p.argmax(1).tolist(), meant, strict=True)])[known]

    now = right(None)
    if now.double().mean() > GOOD:
        return []
    tried = [(seen, right(seen)) for seen in (*USUAL, *(COLOURS if pictures.shape[1] == 3 else ()))]
    best = max((then for _, then in tried), key=lambda then: int(then.sum()))
    chance = 1 / len(classifier.labels)
    if best.double().mean() < chance + KNOWING * (1 - chance) or not _knows_more(best, now, SURE / len(tried)):
        return []
    likely = [seen for seen, then in tried if not _knows_more(best, then, UNLIKE)]
    return [
        f"The {side} classifier reads {int(best.sum())} of {int(known.sum())} pictures as what they are when they come "
        f"{' or '.join(seen.rather for seen in likely)}, and {int(now.sum())} as it is shown them now. {likely[0].remedy}"
    ]


@contextmanager
def _seeing(classifier: Classifier, seen: Preparation | None) -> Iterator[Callable[[Pictures], Tensor]]:
    """A classifier whose network sees its pictures in another way for a while; gives what has to be done to the pictures for it."""
    inner = classifier.inner if isinstance(classifier, Aligned) else classifier
    own = next((part for part in inner.modules() if isinstance(part, Preprocessing)), None) or inner
    if seen is None:
        yield lambda x: x
    elif seen.turned:
        yield lambda x: x.flip(1)
    elif isinstance(own, Preprocessing):  # what it resizes it cuts off at 0 and 1, so that pictures cannot be changed before
        mean, std = own.mean, own.std
        own.mean, own.std = _channels(seen.mean, mean), _channels(seen.std, std)
        try:
            yield lambda x: x
        finally:
            own.mean, own.std = mean, std
    else:
        mean, std = (own.mean, own.std) if isinstance(own, ModuleClassifier) else (torch.zeros(()), torch.ones(()))
        yield lambda x: (x - _channels(seen.mean, x)) / _channels(seen.std, x) * std.to(x) + mean.to(x)


def _channels(values: Sequence[float], like: Tensor) -> Tensor:
    return like.new_tensor(values).view(1, -1, 1, 1).expand(1, like.shape[1], 1, 1)


def _knows_more(one: Tensor, other: Tensor, chance: float) -> bool:
    """Whether more pictures are read right in one way than in another, by McNemar's exact test."""
    gained, lost = int((one & ~other).sum()), int((other & ~one).sum())
    return gained > lost and bool(binomtest(gained, gained + lost, alternative="greater").pvalue <= chance)


@torch.no_grad()
def _known_pictures(models: Models, conditions: Sequence[int], spec: Spec) -> tuple[Pictures, list[Known]]:
    """Some pictures and their classes; real ones where there are any."""
    if spec.real is not None:
        real = load_pictures(spec.real, picture_shape(models), LOOKED_AT)
        return torch.stack(list(real.pictures)), [(name, name) for name in real.classes]
    if models.generator.originals is not None:
        return models.generator.originals[:LOOKED_AT], [(label.name, label.id) for label in models.generator.conditions[:LOOKED_AT]]
    batches = list(drawn_pictures(models, conditions, LOOKED_AT)) if conditions else []
    pictures = torch.cat([part for part, _ in batches]) if batches else torch.empty(0, *picture_shape(models))
    return pictures, [known for _, classes in batches for known in classes]
