"""Loads or computes the predictions of several classifiers on one pool of pictures."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from gevaldi.errors import SpecError
from gevaldi.names import listed
from gevaldi.predictions.base import Pool, Predictions
from gevaldi.predictions.matching import join, over_all_classes, true_classes, union
from gevaldi.predictions.progress import Silent, Watch
from gevaldi.predictions.ranking import digest_of, digest_of_ids
from gevaldi.predictions.table import SOURCE, SUFFIXES, is_table, load_table
from gevaldi.quoting import split_unquoted

if TYPE_CHECKING:
    from gevaldi.models import Classifier
    from gevaldi.pictures.base import RealPictures

FOLDER = Path("runs/predictions")


def load_pool(
    pool: "str | RealPictures | None",
    classifiers: "Sequence[str | Classifier]",
    *,
    folder: Path | str = FOLDER,
    device: str = "auto",
    batch_size: int | None = None,
    progress: Watch | None = None,
) -> Pool:
    """The predictions of classifiers on the same pictures, over the same classes.

    Args:
        pool: the name of a set of pictures such as folder:DIR, or the pictures; None if all classifiers are tables.
        classifiers: names, also `table:FILE`, or objects.
        folder: where predictions are stored as they are computed, and found again.
        device: to compute on.
        batch_size: pictures classified together; chosen by default.
        progress: shows how many pictures are classified.

    Raises:
        SpecError: there is no classifier, a network has no pool, or classes cannot be matched.
        DataError: a table or a picture cannot be read, or pictures are missing in a table.
    """
    if not classifiers:
        raise SpecError("No classifier was given. Name one or more, such as table:FILE.")
    texts = {one: split_unquoted(one, ",", 1)[0] for one in classifiers if isinstance(one, str) and not is_table(one)}
    files = [one for one, path in texts.items() if Path(path).suffix.lower() in SUFFIXES]
    if bare := [one for one in files if ":" not in one or Path(texts[one]).exists()]:
        written = " ".join(SOURCE + one for one in bare)
        raise SpecError(
            f"{listed(bare)} {'is' if len(bare) == 1 else 'are'} no classifier's name. For a file of predictions, write {written}"
        )
    if pool is None:
        return _of_tables([_table(one) for one in classifiers])
    from gevaldi.pictures import sources
    from gevaldi.predictions.networks import PoolOfPictures

    real = sources.load(pool) if isinstance(pool, str) else pool
    shown = PoolOfPictures(real, Path(folder), device, batch_size, progress or Silent())
    predictions = [load_table(one) if isinstance(one, str) and is_table(one) else shown.predictions(one) for one in classifiers]
    names = [one.name for one in predictions]
    predictions = [
        replace(one, name=given) if isinstance(given, str) and names.count(one.name) > 1 else one
        for one, given in zip(predictions, classifiers, strict=True)
    ]
    joined, notes = join(predictions, shown.ids, known=True)
    name = pool if isinstance(pool, str) else f"{len(shown.ids):,} pictures"
    found = _pool(name, shown.ids, joined, real.classes, shown.digest(), real.pictures, notes)
    return replace(found, sound=real.sound)


def _table(name: Any) -> Predictions:
    if not is_table(name):
        raise SpecError(f"{name} classifies pictures, and none are given: name the pool, such as --pool folder:DIR.")
    return load_table(name)


def _of_tables(predictions: Sequence[Predictions]) -> Pool:
    is_partial = all(one.source.get("partial") for one in predictions)
    ids = union(predictions) if is_partial else predictions[0].ids
    joined, notes = join(predictions, ids, known=False)
    pa.default_memory_pool().release_unused()  # of the readers, a third of all that a verdict on a million rows holds
    name = f"the pictures of {'all tables' if is_partial else predictions[0].name}"
    return _pool(name, ids, joined, None, digest_of_ids(ids), None, notes)


def _pool(
    name: str,
    ids: pa.Array,
    predictions: Sequence[Predictions],
    names: Sequence[str | None] | None,
    digest: str,
    pictures: Any,
    notes: Sequence[str],
) -> Pool:
    """A pool from predictions on the same pictures in the same order."""
    classes, moved, about_classes = over_all_classes(predictions)
    open_ended = not all(one.source.get("closed", True) for one in predictions)
    truth, classes, about_truth = true_classes(names or [], classes, open_ended)
    if classes != moved[0].classes:
        moved = [replace(one, classes=classes, digest=digest_of(ids, classes, one.top)) for one in moved]
    about_sources = [*_normalised_otherwise(predictions), *_failures(predictions), *_repeated(predictions)]
    return Pool(name, ids, classes, moved, truth, digest, pictures, (*notes, *about_classes, *about_truth, *about_sources))


def _normalised_otherwise(predictions: Sequence[Predictions]) -> list[str]:
    """A sentence where pictures are normalised for one network and not for another, and no package says so of either."""
    steps = {one.name: one.source["steps"] for one in predictions if one.source.get("official") is False and "steps" in one.source}
    normalised = {name: step for name, own in steps.items() for step in own if step.startswith("subtract")}
    others = [name for name in steps if name not in normalised]
    if not normalised or not others:
        return []
    name, step = next(iter(normalised.items()))
    return [
        f"The classifiers are shown different pictures: for {name}, {step}; for {others[0]}, nothing of the kind. If both were "
        "trained alike, give both the same mean and std."
    ]


def _failures(predictions: Sequence[Predictions]) -> list[str]:
    """Sentences on pictures for which a network has no answer, with the first reason; each counts as a wrong answer."""
    return [
        f"{one.name} has no answer for {one.source['failed']:,} of {len(one):,} pictures. The first: {one.source['errors'][0]}"
        for one in predictions
        if one.source.get("failed")
    ]


def _repeated(predictions: Sequence[Predictions]) -> list[str]:
    """Sentences on rows of tables that repeat an earlier one."""
    counts = {one.name: one.source["repeated"] for one in predictions if one.source.get("repeated")}
    return [f"{count:,} rows of {name} repeat an earlier row; each picture counts once." for name, count in counts.items()]
