"""Detects a classifier that gets pictures in another range or colour order than in training, by its accuracy on known classes.

The most common mistake of all: a network trained on pictures in [-1, 1] gets [0, 1], or the other way round. It still runs and
stays confident, so only pictures of known classes reveal the mistake.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from scipy.stats import binomtest
from torch import Tensor

from gevaldi.alignment import Aligned, Known, target_classes
from gevaldi.classifiers._preprocessing import Preprocessing
from gevaldi.models import Classifier, ModuleClassifier, Pictures, Sound
from gevaldi.pictures import load_pictures
from gevaldi.runs.checks.audit import batch_of, drawn_pictures, picture_shape
from gevaldi.runs.worker.setup import Models
from gevaldi.sounds.log_mel import LogMel
from gevaldi.sounds.slips import Slip, slips_of_spectrograms, slips_of_waveforms
from gevaldi.spec import Spec
from gevaldi.wrappers.listening import Listening

LOOKED_AT = 64  # pictures; fewer reveal a wrong preparation for a network of 1,000 classes
SURE = 0.01  # the probability of a false warning
GOOD = 0.95  # accuracy above which there is nothing to check
KNOWING = 0.4  # accuracy above chance, as a share of its maximum; below it, as in an untrained network, any preparation may win
UNLIKE = 0.05  # p-value below which the warning does not name another preparation beside the best


@dataclass(frozen=True)
class Preparation:
    """A common preparation of pictures for a network, (x - mean) / std with red or blue first, and its description."""

    rather: str
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    turned: bool = False

    @property
    def remedy(self) -> str:
        """How the user can fix it."""
        if self.turned:
            return "Does its network expect that? Reverse the colour channels in its forward()."
        if (self.mean, self.std) == ((0.0,), (1.0,)):
            return "Does its module normalise them itself? Leave mean and std out."
        deviation = "[1 / 255]" if self.std == BYTES else list(self.std)
        return f"Does its network expect that? Then set mean={list(self.mean)}, std={deviation}."


BYTES = (1 / 255,)
COLOURS = (
    Preparation("with ImageNet's mean and standard deviation", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    Preparation("with blue before red", turned=True),
)
USUAL = (
    Preparation("in [-1, 1]", (0.5,), (0.5,)),
    Preparation("in [0, 255]", (0.0,), BYTES),
    Preparation("in [0, 1], without its mean and std"),
)


def range_warnings(models: Models, conditions: Sequence[int], spec: Spec) -> list[str]:
    """Warnings about classifiers that are clearly more accurate on pictures in another range or colour order.

    Uses the run's real pictures, or else the generator's, as far as their classes are known. Skips networks whose weights and
    preprocessing come from the same package.
    """
    suspects = [side for side in ("first", "second") if not getattr(models.classifier(side).official, "trusted", False)]
    if not suspects:
        return []
    pictures, classes = _known_pictures(models, conditions, spec)
    pictures = pictures.to(models.device, models.plan.dtype)
    return [warning for side in suspects for warning in _warning(side, models, pictures, classes)]


@torch.no_grad()
def _warning(side: str, models: Models, pictures: Pictures, classes: Sequence[Known]) -> list[str]:
    classifier = models.classifier(side)
    meant = [target_classes(known, classifier) for known in classes]
    known = torch.tensor([bool(places) for places in meant])
    if not known.any():
        return []

    def right(seen: Preparation | Slip | None) -> Tensor:
        """Which pictures of known classes are classified correctly; none if the network raises an error on them."""
        try:
            with _seeing(classifier, seen) as prepare:
                log_p = torch.cat([classifier(prepare(part)).cpu() for part in pictures.split(batch_of(models))])
        except Exception:
            return torch.zeros(int(known.sum()), dtype=torch.bool)
        return torch.tensor([top in places for top, places in zip(log_p.argmax(1).tolist(), meant, strict=True)])[known]

    now = right(None)
    if now.double().mean() > GOOD:
        return []
    tried = [(seen, right(seen)) for seen in _others(classifier, models.generator.sound, pictures.shape[1])]
    best = max((then for _, then in tried), key=lambda then: int(then.sum()))
    chance = 1 / len(classifier.labels)
    if best.double().mean() < chance + KNOWING * (1 - chance) or not _knows_more(best, now, SURE / len(tried)):
        return []
    likely = [seen for seen, then in tried if not _knows_more(best, then, UNLIKE)]
    return [
        f"The {side} classifier classifies {int(now.sum())} of {int(known.sum())} pictures correctly as it gets them now, and "
        f"{int(best.sum())} if it gets them {' or '.join(seen.rather for seen in likely)}. {likely[0].remedy}"
    ]


def _others(classifier: Classifier, sound: Sound | None, channels: int) -> Sequence[Preparation | Slip]:
    """What a classifier may expect instead of what it gets."""
    if isinstance(inner := _inner(classifier), Listening) and inner.inner.hears:
        return slips_of_waveforms(inner.inner.hears)
    heard = slips_of_spectrograms(sound.floor) if isinstance(sound, LogMel) else []
    return (*USUAL, *heard, *(COLOURS if channels == 3 else ()))


def _inner(classifier: Classifier) -> Classifier:
    return classifier.inner if isinstance(classifier, Aligned) else classifier


@contextmanager
def _seeing(classifier: Classifier, seen: Preparation | Slip | None) -> Iterator[Callable[[Pictures], Tensor]]:
    """Make a classifier's network see or hear pictures in another preparation; yields the function to apply to the pictures."""
    inner = _inner(classifier)
    own = next((part for part in inner.modules() if isinstance(part, Preprocessing)), None) or inner
    if seen is None:
        yield lambda x: x
    elif isinstance(seen, Slip) and isinstance(inner, Listening):
        handle = inner.inner.register_forward_pre_hook(lambda _, inputs: (seen.change(inputs[0]),))
        try:
            yield lambda x: x
        finally:
            handle.remove()
    elif isinstance(seen, Slip):
        yield seen.change
    elif seen.turned:
        yield lambda x: x.flip(1)
    elif isinstance(own, Preprocessing):  # resizing clips to [0, 1], so the pictures cannot be changed beforehand
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
    """Whether one preparation is more accurate than another, by McNemar's exact test."""
    gained, lost = int((one & ~other).sum()), int((other & ~one).sum())
    return gained > lost and bool(binomtest(gained, gained + lost, alternative="greater").pvalue <= chance)


@torch.no_grad()
def _known_pictures(models: Models, conditions: Sequence[int], spec: Spec) -> tuple[Pictures, list[Known]]:
    """Some pictures and their classes; real ones if there are any."""
    if spec.real is not None:
        real = load_pictures(spec.real, picture_shape(models), LOOKED_AT)
        return torch.stack(list(real.pictures)), [(name, name) for name in real.classes]
    if models.generator.originals is not None:
        return models.generator.originals[:LOOKED_AT], [(label.name, label.id) for label in models.generator.conditions[:LOOKED_AT]]
    batches = list(drawn_pictures(models, conditions, LOOKED_AT)) if conditions else []
    pictures = torch.cat([part for part, _ in batches]) if batches else torch.empty(0, *picture_shape(models))
    return pictures, [known for _, classes in batches for known in classes]
