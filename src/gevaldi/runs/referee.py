"""Asks a third classifier, with its own pipeline, about real pictures and the samples of a run on which the two differ."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, TypeVar

import numpy as np
import torch

from gevaldi.alignment import places_of, target_classes
from gevaldi.classifiers import load_classifier
from gevaldi.contract import check_mode
from gevaldi.errors import SpecError, describe_error
from gevaldi.images import open_picture, stored_bytes
from gevaldi.measures.predictions import top
from gevaldi.measures.referee import Opinion, sides
from gevaldi.models import Classifier
from gevaldi.pictures import sources
from gevaldi.pictures._levels import image_of
from gevaldi.pictures.base import RealPictures, brought_to
from gevaldi.runs.opinions import OPINION
from gevaldi.runs.store.files import write_in_run
from gevaldi.runs.store.pictures import pictures_of
from gevaldi.runs.store.run import Run
from gevaldi.sounds.files import read
from gevaldi.sounds.recordings import carrying
from gevaldi.wrappers.listening import Listening

BATCH = 50  # pictures classified together, if the referee has no pipeline of its own
NAME = "A picture of the run"

OnProgress = Callable[[int], None]
"""Called after every picture with the number classified so far."""

Answer = tuple[int, float]
"""The most probable class, and its probability."""

Key = TypeVar("Key")


def judge(run: Run, name: str, on_progress: OnProgress = lambda done: None) -> Opinion:
    """Ask a classifier about the pictures of a run, and store its opinion in `referee.json` beside the record.

    Raises:
        UnknownName, WeightsError: the classifier cannot be loaded.
        DataError: real pictures of the run no longer exist.
        SpecError: the classifier fails on the pictures, or the run has none yet.
        RunFolderError: the folder cannot be read or written.
    """
    loaded, labels = load_classifier(name).eval(), run.record["models"]["first"]["labels"]
    check_mode(loaded, "referee")
    classifier = loaded if loaded.hears is None else Listening(loaded, None)  # which hears what the rows hold
    done = 0

    def ask(pictures: Iterable[tuple[Key, Any]]) -> Iterator[tuple[Key, Answer]]:
        nonlocal done
        for pair in answers_of(classifier, pictures):
            done += 1
            on_progress(done)
            yield pair

    @cache
    def places(label: int) -> set[int]:
        return places_of(labels[label]["name"], labels[label]["id"], classifier)

    def side(pair: tuple[int, int], answer: Answer) -> tuple[bool, bool, float]:
        return answer[0] in places(pair[0]), answer[0] in places(pair[1]), answer[1]

    parted = {row["index"]: (row["first_label"], row["second_label"]) for row in pictures_of(run) if row["kind"] == "real"}
    read, known, on_real = 0, 0, []
    for (i, shown), answer in ask(_real(run, classifier)):
        if meant := target_classes((shown, shown), classifier):
            known, read = known + 1, read + (answer[0] in meant)
        pair = parted.get(i, (0, 0))
        if pair[0] != pair[1]:
            on_real.append(side(pair, answer))
    start = sides(side(pair, answer) for (pair, _), answer in ask(_disputed(run, "start")))
    ends, probable = ([*ask(_disputed(run, stage))] for stage in ("end", "probable"))
    end = sides(side(pair, answer) for (pair, _), answer in ends)
    counts: list[int] = []
    for there in (ends, probable):
        requested = [any(answer[0] in places(label) for label in asked) for (_, asked), answer in there if asked]
        counts += [sum(requested), len(requested)]
    opinion = Opinion(name, read, known, sides(on_real), start, end, *counts)
    write_in_run(run.folder / OPINION, opinion.as_json(run.digest).encode())
    return opinion


def _disputed(run: Run, stage: str) -> Iterator[tuple[tuple[tuple[int, int], list[int]], Any]]:
    """The pictures of samples on which the two differ, with both top classes, and the classes that were requested."""
    for row in run.each(["status", "target_classes", f"picture_{stage}", f"first_{stage}", f"second_{stage}", f"sound_{stage}"]):
        first, second = top(row, "first", stage), top(row, "second", stage)
        if row["status"] != "failed" and first and second and first["label"] != second["label"]:
            pair = (first["label"], second["label"])
            sound = row.get(f"sound_{stage}")
            recording = read(sound["bytes"], NAME) if sound else None
            picture = open_picture(stored_bytes(row[f"picture_{stage}"], NAME), NAME)
            yield (pair, row["target_classes"] or []), carrying(picture, recording)


def _real(run: Run, classifier: Classifier) -> Iterator[tuple[tuple[int, str | None], Any]]:
    """The real pictures by number and class: unchanged if the referee has its own pipeline, otherwise at the generator's size."""
    if run.spec.real is None:
        return
    real: RealPictures = sources.load(run.spec.real)
    shape = _shape(run)
    for i, shown in enumerate(real.classes):
        picture = real.pictures[i]
        if classifier.official is None:
            (picture,) = brought_to(RealPictures([picture], [shown]), shape).pictures
        yield (i, shown), image_of(picture)


def _shape(run: Run) -> tuple[int, int, int]:
    """Channels, height and width of the pictures of a run's generator."""
    row = next((row for row in run.each(["picture_end"]) if row["picture_end"]), None)
    if row is None:
        raise SpecError(f"The run in {run.folder} has no pictures yet. Compute some: gevaldi resume {run.folder}")
    picture = open_picture(row["picture_end"]["bytes"], NAME)
    return len(picture.getbands()), picture.height, picture.width


def answers_of(classifier: Classifier, pictures: Iterable[tuple[Key, Any]]) -> Iterator[tuple[Key, Answer]]:
    """A classifier's answers on pictures (PIL), each with the picture's key.

    Raises:
        SpecError: the classifier fails on a picture.
    """
    waiting: list[tuple[Key, Any]] = []
    for pair in pictures:
        waiting.append(pair)
        if classifier.official is not None or len(waiting) == BATCH:
            yield from _together(classifier, waiting)
            waiting = []
    if waiting:
        yield from _together(classifier, waiting)


@torch.no_grad()
def _together(classifier: Classifier, pictures: list[tuple[Key, Any]]) -> list[tuple[Key, Answer]]:
    try:
        if classifier.official is not None:
            log_p = torch.cat([classifier.official(picture) for _, picture in pictures])
        else:
            levels = torch.from_numpy(np.stack([np.array(picture) for _, picture in pictures])).float() / 255
            log_p = classifier(levels[:, None] if levels.dim() == 3 else levels.movedim(-1, 1))
    except Exception as error:  # whatever a user's network may raise
        raise SpecError(
            f"The referee {classifier.name} fails on pictures of {pictures[0][1].size}. {describe_error(error)}"
        ) from error
    probability, label = log_p.exp().max(1)
    answers = zip(label.tolist(), probability.tolist(), strict=True)
    return [(key, answer) for (key, _), answer in zip(pictures, answers, strict=True)]
