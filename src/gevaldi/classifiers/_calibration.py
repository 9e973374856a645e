"""The temperature at which a classifier's confidence fits real pictures."""

import numpy as np
import torch

from gevaldi.alignment import target_classes
from gevaldi.classifiers._official import officially
from gevaldi.errors import SpecError
from gevaldi.models import Classifier, notes
from gevaldi.pictures import sources
from gevaldi.pictures._unknown import unknown_classes
from gevaldi.pictures.base import RealPictures, brought_to_network
from gevaldi.statistics.calibration import fitted_temperature
from gevaldi.wrappers.listening import listening
from gevaldi.wrappers.predictions import Tempered

FEWEST = 30  # pictures of classes that the classifier knows
BATCH = 50


@torch.no_grad()
def calibrated(classifier: Classifier, pictures: str, count: int) -> Tempered:
    """The classifier at the temperature that fits some real pictures, seen by its own pipeline where it has one.

    Raises:
        SpecError: fewer than 30 of them have a class that it knows, or no temperature fits best.
        UnknownName, DataError: there are no such pictures, or one cannot be read.
    """
    real: RealPictures = sources.load(pictures)
    step = max(1, -(-len(real.pictures) // count))
    places = [i for i in range(0, len(real.pictures), step) if target_classes((real.classes[i], real.classes[i]), classifier)]
    if len(places) < FEWEST:
        unknown = unknown_classes(real.classes, classifier) or "Sub-folders are named by class or by WordNet id."
        raise SpecError(
            f"calibrated: {len(places)} of the pictures of {pictures} have a class that {classifier.name} knows; at least {FEWEST} "
            f"are needed to fit a temperature. {unknown}"
        )
    some, heard = real.at(places), listening(classifier, real.sound)
    log_p = officially(heard, some.pictures, lambda: None)
    if log_p is None:
        height, width = some.pictures[0].shape[-2:]
        shown = brought_to_network(some, (height, width), heard, "Name pictures of the size that it takes.")
        log_p = torch.cat([heard(part) for part in shown.batches(BATCH)]).float().numpy()
    truth = np.zeros(log_p.shape, dtype=bool)
    for i, name in enumerate(some.classes):
        truth[i, [*target_classes((name, name), classifier)]] = True
    temperature = fitted_temperature(log_p, truth)
    if temperature is None:
        right = int(truth[np.arange(len(truth)), log_p.argmax(1)].sum())
        raise SpecError(
            f"calibrated: no temperature fits the pictures of {pictures} best, of which {classifier.name} reads {right} of "
            f"{len(places)} right. Name more or harder pictures."
        )
    found = Tempered(classifier, temperature)
    found.name = f"{classifier.name}, calibrated" if classifier.name else None
    found.note = notes(f"temperature {temperature:g}, fitted on {len(places):,} pictures of {pictures}", classifier.note)
    return found
