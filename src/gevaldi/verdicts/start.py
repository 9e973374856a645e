"""Begins a verdict, or goes on with the one in a folder."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.errors import RunFolderError, SpecError
from gevaldi.folders import in_path
from gevaldi.predictions.base import Pool
from gevaldi.verdicts.answers import Answers
from gevaldi.verdicts.decisions import claim_of, margin_of
from gevaldi.verdicts.guess import Guess, guess_of
from gevaldi.verdicts.questions import questions_of
from gevaldi.verdicts.record import check_unchanged, read_record, write_record
from gevaldi.verdicts.verdict import Verdict

if TYPE_CHECKING:
    from gevaldi.models import Classifier, Generator
    from gevaldi.pictures.base import RealPictures


def verdict(
    first: "str | Classifier",
    second: "str | Classifier",
    pool: "str | RealPictures | Pool | None" = None,
    *,
    others: "Sequence[str | Classifier]" = (),
    margin: float | str = 0.0,
    require: str | None = None,
    score: str | Sequence[str] = "accuracy",
    where: Sequence[str] = (),
    confidence: float = 0.95,
    seed: int = 0,
    budget: int | None = None,
    labels: str | Path | Sequence[str | Path] | None = None,
    use_truth: bool = True,
    out: str | Path | None = None,
    taxonomy: str = "auto",
    predictions: str | Path = "runs/predictions",
    device: str = "auto",
    generator: "str | Generator | None" = None,
    batch_size: int | None = None,
    progress: bool | None = None,
) -> Verdict:
    """Decide which of two classifiers is better on a pool of pictures, from labels of those on which they differ.

    Pictures are labelled in a random order that the seed fixes, never by convenience. The interval may be looked at after every
    label. `next` returns the pictures to label, `add` takes labels, `decision` and `interval` say what follows.

    Args:
        first: the old classifier, or its name; `table:FILE` has predictions alone.
        second: the new one.
        pool: the pictures, such as "folder:DIR"; not needed if all classifiers are tables.
        others: more classifiers. With these, the question is which of all is the best.
        margin: the largest difference that does not matter: 0.005 or "0.5%" of accuracy, or levels if the score is levels.
        require: the claim to decide: better-or-worse, better, not-worse (the default if there is a margin), equivalent.
        score: accuracy, levels, top-K, class:NAME or cost:FILE; of several the first decides, and all intervals hold together.
        where: patterns of picture ids, such as "night/*": the first score on each of these slices as further questions.
        confidence: of all intervals together.
        seed: of the order of labelling.
        budget: a number of labels fixed beforehand. The interval is narrower, and there is only one look, at its end.
        labels: files or folders with labels, as `gevaldi.verdicts.read.read_answers` reads them.
        use_truth: whether classes that the pool itself knows count as labels.
        out: a folder for answers, record and page; the same call goes on there. By default all stays in memory.
        taxonomy: the hierarchy of the score levels.
        predictions: the folder where predictions are stored, to be computed only once.
        device: auto, cpu, cuda, cuda:1, mps.
        generator: a class-conditional generator, whose opinion the page shows as a guess; it decides nothing.
        batch_size: pictures classified together.
        progress: whether to show a progress bar; by default on a terminal.

    Raises:
        SpecError: a setting is not valid.
        DataError: the pool, a table or labels cannot be read.
        RunFolderError: the folder cannot be written, or holds a verdict on something else.
    """
    if not 0.5 <= confidence < 1:
        raise SpecError(f"confidence={confidence!r} was given; a number from 0.5 to below 1 was expected, such as 0.95.")
    if budget is not None and budget < 1:
        raise SpecError(f"budget={budget!r} was given; a number of labels was expected, 1 or more.")
    ready = pool if isinstance(pool, Pool) else _loaded(pool, [first, second, *others], predictions, device, batch_size, progress)
    questions = questions_of(ready, [score] if isinstance(score, str) else score, where, taxonomy)
    allowed = margin_of(margin, questions[0].score)
    claim = claim_of(require, allowed)
    folder = None if out is None else Path(out).expanduser()
    begun = Verdict(
        ready,
        questions,
        margin=allowed,
        claim=claim,
        confidence=confidence,
        seed=seed,
        budget=budget,
        answers=Answers(_made(folder)),
        use_truth=use_truth,
        folder=folder,
    )
    if folder and (record := read_record(folder)):
        check_unchanged(begun, record, folder)
    if generator is not None:
        begun.guess = _guess(generator, first, second, device, progress)
    for file in [labels] if isinstance(labels, str | Path) else labels or ():
        begun.add(file)
    if folder:
        write_record(begun, folder)
    return begun


def default_folder(classifiers: Sequence[str], pool: str | None, seed: int) -> Path:
    """Where a verdict is stored if nobody says otherwise: the same for the same names, whatever the margin and the score."""
    names = [in_path(name.partition(":")[2] or name) for name in classifiers]
    shown = "-vs-".join(names) if len(names) == 2 else f"{names[0]}-and-{len(names) - 1}-more"
    identity = sha256("\n".join([*classifiers, str(pool), str(seed)]).encode()).hexdigest()[:8]
    return Path("runs") / f"verdict-{shown}-{identity}"


def _made(folder: Path | None) -> Path | None:
    """The folder, which exists now.

    Raises:
        RunFolderError: it cannot be made.
    """
    if folder:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(f"{folder} cannot be made: {error.strerror or error}.") from error
    return folder


def _guess(generator: Any, first: Any, second: Any, device: str, progress: bool | None) -> Guess:
    """The opinion of a generator.

    Raises:
        SpecError: a classifier is a table, which cannot classify new pictures.
    """
    from gevaldi.predictions.table import is_table
    from gevaldi.progress import Bar
    from gevaldi.runs.session import device_of

    if is_table(first) or is_table(second):
        raise SpecError("A generator draws new pictures, and a table has predictions on old ones only. Leave --generator out.")
    with Bar(progress) as bar:
        bar.working("asking the generator")
        return guess_of(generator, first, second, str(device_of(device)), bar.rows)


def _loaded(
    pool: Any, classifiers: Sequence[Any], folder: str | Path, device: str, batch_size: int | None, progress: bool | None
) -> Pool:
    from gevaldi.predictions.pool import load_pool
    from gevaldi.progress import Bar

    with Bar(progress) as bar:
        return load_pool(pool, classifiers, folder=Path(folder).expanduser(), device=device, batch_size=batch_size, progress=bar)
