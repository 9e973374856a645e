"""A classifier that is shown pictures otherwise than it was trained to see them, found out by what it then knows.

The commonest mistake of all: a network trained on pictures in [-1, 1] is fed [0, 1], or the other way round. It still runs and is
still sure of itself, so that only pictures of known classes tell.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from scipy.stats import binomtest
from torch import Tensor

from gevaldi.alignment import Aligned
from gevaldi.models import Classifier, ModuleClassifier, Pictures
from gevaldi.pictures import load_pictures
from gevaldi.runs.audit import Known, batch_of, drawn_pictures, meant_by, shape_made
from gevaldi.runs.spec import Spec
from gevaldi.runs.worker import Models

LOOKED_AT = 64  # pictures; a network of 1,000 classes that sees them wrongly is found out by fewer
SURE = 0.01  # the chance of a warning where no other preparation is better
GOOD = 0.95  # of the pictures read right: nothing to look for
KNOWING = 0.4  # of what chance leaves: below it, as an untrained network is, any way of showing pictures may win
UNLIKE = 0.05  # the chance below which the second best preparation is not named beside the best
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Mistake:
    """A usual one: how the network would rather see its pictures, what to do about it, and pictures so prepared."""

    rather: str
    remedy: str
    prepare: Callable[[Pictures], Tensor]


def range_warnings(models: Models, conditions: Sequence[int], spec: Spec) -> list[str]:
    """Sentences about classifiers that know clearly more pictures when these come in another range or order of colours.

    Looks at real pictures where the run has some, else at those of the generator, as far as their classes are known.
    """
    pictures, classes = _known_pictures(models, conditions, spec)
    pictures = pictures.to(models.device, models.rounding.dtype)
    return [w for who in ("first", "second") for w in _warning(who, models, pictures, classes)]


@torch.no_grad()
def _warning(who: str, models: Models, pictures: Pictures, classes: Sequence[Known]) -> list[str]:
    classifier = models.classifier(who)
    meant = [meant_by(known, classifier) for known in classes]
    known = torch.tensor([bool(places) for places in meant])
    if classifier.official or not known.any():  # what a package prepares itself, it prepares rightly
        return []

    def right(prepare: Callable[[Pictures], Tensor]) -> Tensor:
        tops = [int(top) for part in pictures.split(batch_of(models)) for top in classifier(prepare(part)).argmax(1)]
        return torch.tensor([top in places for top, places in zip(tops, meant, strict=True)])[known]

    now = right(lambda x: x)
    if now.double().mean() > GOOD:
        return []
    tried = [(mistake, right(mistake.prepare)) for mistake in _mistakes(classifier, pictures)]
    best = max((then for _, then in tried), key=lambda then: int(then.sum()))
    chance = 1 / len(classifier.labels)
    if best.double().mean() < chance + KNOWING * (1 - chance) or not _knows_more(best, now, SURE / len(tried)):
        return []
    likely = [mistake for mistake, then in tried if not _knows_more(best, then, UNLIKE)]
    return [
        f"The {who} classifier reads {int(best.sum())} of {int(known.sum())} pictures as what they are when they come "
        f"{' or '.join(mistake.rather for mistake in likely)}, and {int(now.sum())} as it is shown them now. {likely[0].remedy}"
    ]


def _knows_more(one: Tensor, other: Tensor, chance: float) -> bool:
    """Whether more pictures are read right in one way than in another, by McNemar's exact test."""
    gained, lost = int((one & ~other).sum()), int((other & ~one).sum())
    return gained > lost and bool(binomtest(gained, gained + lost, alternative="greater").pvalue <= chance)


def _mistakes(classifier: Classifier, pictures: Pictures) -> Iterator[Mistake]:
    advice = "Does its network expect that? Say so: gevaldi.classifier(..., mean={}, std={})."
    yield Mistake("in [-1, 1]", advice.format("[0.5]", "[0.5]"), lambda x: 2 * x - 1)
    yield Mistake("in [0, 255]", advice.format("[0.0]", "[1 / 255]"), lambda x: 255 * x)
    if pictures.shape[1] == 3:
        mean, std = (pictures.new_tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
        usual = advice.format(list(IMAGENET_MEAN), list(IMAGENET_STD))
        yield Mistake("with ImageNet's mean and deviation", usual, lambda x: (x - mean) / std)
        turned = "Does its network expect that? Turn the colours round in its forward()."
        yield Mistake("with blue before red", turned, lambda x: x.flip(1))
    inner = classifier.inner if isinstance(classifier, Aligned) else classifier
    if isinstance(inner, ModuleClassifier) and inner.normalised:
        undone = "Does its module normalise them itself? Leave mean and std out of gevaldi.classifier(...)."
        yield Mistake("without its mean and std", undone, lambda x: x * inner.std + inner.mean)


@torch.no_grad()
def _known_pictures(models: Models, conditions: Sequence[int], spec: Spec) -> tuple[Pictures, list[Known]]:
    """Some pictures and their classes; real ones where there are any."""
    if spec.real is not None:
        real = load_pictures(spec.real, shape_made(models)).spread(LOOKED_AT)
        return torch.stack(real.pictures), [(name, name) for name in real.classes]
    if models.generator.originals is not None:
        return models.generator.originals[:LOOKED_AT], [(label.name, label.id) for label in models.generator.conditions[:LOOKED_AT]]
    batches = list(drawn_pictures(models, conditions, LOOKED_AT)) if conditions else []
    pictures = torch.cat([part for part, _ in batches]) if batches else torch.empty(0, *shape_made(models))
    return pictures, [known for _, classes in batches for known in classes]
