"""Begins a verdict, or goes on with the one in a folder."""

from collections.abc import Sequence
from dataclasses import fields
from hashlib import sha256
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.errors import DataError, GevaldiError, RunFolderError, SpecError, UnknownName
from gevaldi.folders import in_path
from gevaldi.predictions.base import Pool
from gevaldi.verdicts.decisions import claim_of, margin_of
from gevaldi.verdicts.final import rule_of
from gevaldi.verdicts.guess import Guess, guess_of
from gevaldi.verdicts.label_error import label_error_of
from gevaldi.verdicts.questions import Question, questions_of
from gevaldi.verdicts.record import FILE, check_unchanged, read_record, write_record
from gevaldi.verdicts.settings import Settings
from gevaldi.verdicts.verdict import Verdict

if TYPE_CHECKING:
    from gevaldi.models import Classifier, Generator
    from gevaldi.pictures.base import RealPictures


def verdict(
    first: "str | Classifier",
    second: "str | Classifier",
    pool: "str | RealPictures | None" = None,
    *,
    others: "Sequence[str | Classifier]" = (),
    predictions: str | Path = "runs/predictions",
    generator: "str | Generator | None" = None,
    device: str = "auto",
    batch_size: int | None = None,
    progress: bool | None = None,
    **question: Any,
) -> Verdict:
    """Decide which of two classifiers is better on a pool of pictures, from labels of those on which they differ.

    Pictures are labelled in a random order that the seed fixes, never by convenience. The interval may be looked at after every
    label. `next` returns the pictures to label, `add` takes labels, `decision` and `interval` say what follows.

    Args:
        first: the old classifier, or its name; `table:FILE` has predictions alone.
        second: the new one.
        pool: the pictures, such as "folder:DIR"; not needed if all classifiers are tables.
        others: more classifiers. With these, the question is which of all is the best.
        predictions: the folder where predictions are stored, to be computed only once.
        generator: a class-conditional generator, whose opinion the page shows as a guess; it decides nothing.
        device: auto, cpu, cuda, cuda:1, mps.
        batch_size: pictures classified together.
        progress: whether to show a progress bar; by default on a terminal.
        **question: arguments of `verdict_on`: margin, require, score, where, confidence, seed, budget, labels, use_truth, several,
            label_error, out, taxonomy.

    Raises:
        UnknownName: there is no such argument.
        SpecError: a setting is not valid.
        DataError: the pool, a table or labels cannot be read.
        RunFolderError: the folder cannot be written, or holds a verdict on something else.
    """
    known = [*signature(verdict_on).parameters][1:]
    if unknown := [name for name in question if name not in known]:
        raise UnknownName("argument of verdict", unknown[0], [*known, *signature(verdict).parameters])
    found = verdict_on(_load(pool, [first, second, *others], predictions, device, batch_size, progress), **question)
    found.call = _call(pool, [first, second, *others], predictions, found.questions, question.get("taxonomy", "auto"))
    if generator is not None:
        found.guess = _guess(generator, first, second, device, progress)
    if found.folder:
        write_record(found, found.folder)
    return found


def open_verdict(folder: Path) -> Verdict:
    """The verdict in a folder, by its record and the predictions that were stored for it. Nothing is written.

    Raises:
        RunFolderError: there is no record, it does not say how to load the classifiers, or they have changed since.
        GevaldiError: the pool or predictions cannot be loaded.
    """
    record = read_record(folder)
    if record is None:
        raise RunFolderError(f"There is no verdict in {folder}: it has no verdict.json. `gevaldi verdict` begins one.")
    call, asked = record.get("call"), record["question"]
    if not isinstance(call, dict) or not call:
        raise RunFolderError(
            f"{folder / FILE} does not name its classifiers and pool so that they can be loaded again. If they have names, "
            "give its command `gevaldi verdict` once more; if they are objects in Python, call gevaldi.label(verdict)."
        )
    try:
        pool = _load(call["pool"], call["classifiers"], call["predictions"], "auto", None, None)
        questions = questions_of(pool, call["scores"], call["where"], call["taxonomy"])
        settings = Settings(**{field.name: asked[field.name] for field in fields(Settings)})
    except (KeyError, TypeError) as error:
        raise RunFolderError(f"{folder / FILE} cannot be read as the record of a verdict: {error!r}.") from None
    except GevaldiError as error:
        raise DataError(f"{error} The verdict was begun in the folder {call.get('directory')}; give the command there.") from None
    found = Verdict(pool, questions, settings, folder)
    check_unchanged(found, folder)
    found.call = call
    return found


def _call(
    pool: Any, classifiers: Sequence[Any], predictions: str | Path, questions: Sequence[Question], taxonomy: str
) -> dict[str, Any]:
    """What loads the same classifiers and pool again; empty if some have no name."""
    if not all(isinstance(one, str) for one in classifiers) or not isinstance(pool, str | None):
        return {}
    return {
        "classifiers": list(classifiers),
        "pool": pool,
        "predictions": str(Path(predictions).expanduser().resolve()),
        "directory": str(Path.cwd()),
        "scores": [one.score.name for one in questions if not one.where],
        "where": [one.where for one in questions if one.where],
        "taxonomy": taxonomy,
    }


def verdict_on(
    pool: Pool,
    *,
    margin: float | str = 0.0,
    require: str = "not-worse",
    score: str | Sequence[str] = "accuracy",
    where: Sequence[str] = (),
    confidence: float = 0.95,
    seed: int = 0,
    budget: int | None = None,
    labels: str | Path | Sequence[str | Path] | None = None,
    use_truth: bool = True,
    several: str = "unanimous",
    label_error: str | float | None = None,
    out: str | Path | None = None,
    taxonomy: str = "auto",
) -> Verdict:
    """The same for predictions that are there already.

    Args:
        pool: the predictions of all classifiers on the same pictures; the first is the old classifier, the second the new one.
        margin: the largest difference that does not matter: 0.005 or "0.5%" of accuracy, or a number of levels or of units of cost.
            A share above 0.1 needs the percent sign.
        require: the claim to decide: not-worse (by more than the margin), better, equivalent (within the margin).
        score: accuracy, levels, top-K, class:NAME or cost:FILE; of several the first decides, and all intervals hold together.
        where: slices on which the first score is a further question each: patterns of ids such as "night/*", or a column's value
            such as "site=Lyon" or "FILE,site=Lyon".
        confidence: of the intervals of all differences together.
        seed: of the order of labelling.
        budget: a number of labels fixed beforehand. The interval is narrower, and there is only one look, at its end.
        labels: files or folders with labels, with the options of `gevaldi.verdicts.read.read_answers` behind a comma.
        use_truth: whether classes that the pool itself knows count as labels.
        several: what counts where several people answered a picture: their answer if it is unanimous, that of the majority, or the
            most probable class by the model of dawid-skene.
        label_error: the chance that a label is wrong, at most, such as 0.05 or "5%"; or "measured", by pictures that two people
            answered and by controls. The intervals of differences and flips then allow for it.
        out: a folder for answers, record and page; the same call goes on there. By default all stays in memory.
        taxonomy: the hierarchy of the score levels.

    Raises:
        SpecError: a setting is not valid, or several classifiers are asked more than which is the best.
        DataError: labels cannot be read.
        RunFolderError: the folder cannot be written, or holds a verdict on something else.
    """
    questions = questions_of(pool, [score] if isinstance(score, str) else score, where, taxonomy)
    errors = rule_of(several), label_error_of(label_error)
    settings = Settings(margin_of(margin, questions[0].score), claim_of(require), confidence, seed, budget, use_truth, *errors)
    if len(pool.predictions) > 2 and (len(questions) > 1 or require != "not-worse"):
        raise SpecError("Of more than two classifiers only the best by one score is asked. For other questions, name two of them.")
    folder = None if out is None else _make_folder(Path(out).expanduser())
    found = Verdict(pool, questions, settings, folder)
    if folder:
        check_unchanged(found, folder)
    for file in [labels] if isinstance(labels, str | Path) else labels or ():
        found.add(file)
    if folder:
        write_record(found, folder)
    return found


def default_folder(classifiers: Sequence[str], pool: str | None, seed: int) -> Path:
    """Where a verdict is stored if nobody says otherwise: the same for the same names, whatever the margin and the score."""
    names = [in_path(name.partition(":")[2] or name) for name in classifiers]
    shown = "-vs-".join(names) if len(names) == 2 else f"{names[0]}-and-{len(names) - 1}-more"
    identity = sha256("\n".join([*classifiers, str(pool), str(seed)]).encode()).hexdigest()[:8]
    return Path("runs") / f"verdict-{shown}-{identity}"


def _make_folder(folder: Path) -> Path:
    """Create a folder if it does not exist.

    Raises:
        RunFolderError: it cannot be created.
    """
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


def _load(
    pool: Any, classifiers: Sequence[Any], folder: str | Path, device: str, batch_size: int | None, progress: bool | None
) -> Pool:
    from gevaldi.predictions.pool import load_pool
    from gevaldi.progress import Bar

    with Bar(progress) as bar:
        return load_pool(pool, classifiers, folder=Path(folder).expanduser(), device=device, batch_size=batch_size, progress=bar)
