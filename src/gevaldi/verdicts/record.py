"""The record of a verdict, `verdict.json`: what was asked, of which classifiers and pictures, by which labels it was decided."""

import json
import platform
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gevaldi.errors import RunFolderError
from gevaldi.files import write_whole
from gevaldi.names import plain
from gevaldi.storage import read
from gevaldi.verdicts.assessment import Assessment
from gevaldi.verdicts.evidence import DIGITS
from gevaldi.verdicts.sentences import sentences
from gevaldi.verdicts.settings import Settings

FILE = "verdict.json"
FORMAT = 1
QUESTION = ("scores", "confidence", "budget", "use_truth")  # which may not change once labels count
PACKAGES = ("gevaldi", "numpy", "pyarrow", "torch")


def record_of(verdict: Assessment) -> dict[str, Any]:
    """Everything that the decision follows from, and the decision, as JSON."""
    return {
        "format": FORMAT,
        "call": verdict.call,
        "question": {"scores": [question.name for question in verdict.questions], **asdict(verdict.settings)},
        "classifiers": [
            {"name": own.name, "predictions_sha256": own.digest, "source": dict(own.source)} for own in verdict.pool.predictions
        ],
        "pool": {"name": verdict.pool.name, "pictures": len(verdict.pool), "sha256": verdict.pool.digest},
        "order": {"seed": verdict.settings.seed, "pictures": len(verdict.disputed), "sha256": _hash_of_order(verdict)},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "pairs": [_pair(verdict, *key) for key in verdict.evidence],
        "ranking": _ranking(verdict) if len(verdict.names) > 2 else None,
        "guess": _guess(verdict),
        "state": verdict.state,
        "sentences": sentences(verdict),
        "labels": {"known_by_the_pool": verdict.uses_truth, "answers": [asdict(one) for one in verdict.answers.all()]},
    }


def _ranking(verdict: Assessment) -> dict[str, Any]:
    return asdict(verdict.ranking) | {"scores": [round(one, DIGITS) for one in verdict.ranking.scores]}


def _guess(verdict: Assessment) -> dict[str, Any] | None:
    own = verdict.guess
    return (
        {"generator": own.generator, "counts": asdict(own.paired), "bias": asdict(own.bias) if own.bias else None} if own else None
    )


def as_json(verdict: Assessment) -> str:
    """The record as text."""
    return json.dumps(record_of(verdict), indent=1) + "\n"


def _pair(verdict: Assessment, number: int, pair: tuple[int, int]) -> dict[str, Any]:
    own, decision = verdict.evidence[number, pair], verdict.decide(number, pair)
    difference, flips = own.difference(), own.flips()
    return {
        "question": verdict.questions[number].name,
        "first": verdict.names[pair[0]],
        "second": verdict.names[pair[1]],
        "pictures": own.size,
        "disputed": own.disputed,
        "labels": own.used,
        "labels_out_of_order": own.waiting,
        "misses_with_at_most": own.miss,
        "wrong_labels_at_most": own.most_wrong(),
        "difference": _numbers(difference.value, difference.low, difference.high),
        "on_pictures_like_these": _numbers(None, *own.on_pictures_like_these()),
        "negative_flips": _numbers(flips.negative.value, flips.negative.low, flips.negative.high),
        "positive_flips": _numbers(flips.positive.value, flips.positive.low, flips.positive.high),
        "decision": decision.word,
    }


def _numbers(value: float | None, low: float, high: float) -> dict[str, float | None]:
    """An estimate and its interval, without what floats add in the last digits; None for NaN and for no estimate."""
    estimate = None if value is None or value != value else round(value, DIGITS)
    return {"estimate": estimate, "low": round(low, DIGITS), "high": round(high, DIGITS)}


def _hash_of_order(verdict: Assessment) -> str:
    return sha256("\n".join(verdict.ids_at(verdict.disputed)).encode()).hexdigest()


def write_record(verdict: Assessment, folder: Path) -> None:
    """Write `verdict.json`, whole or not at all; the time of the first record stays, and every question that was asked before.

    Raises:
        RunFolderError: the folder cannot be written.
    """
    before = read_record(folder) or {}
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    record = {"created": before.get("created", now), "written": now, **record_of(verdict)}
    earlier = before.get("questions", [])
    same = earlier and earlier[-1]["question"] == record["question"]
    record["questions"] = earlier if same else [*earlier, {"time": now, "labels": verdict.used, "question": record["question"]}]
    try:
        write_whole(folder / FILE, json.dumps(record, indent=1).encode())
    except OSError as error:
        raise RunFolderError(f"{folder / FILE} cannot be written: {error.strerror or error}.") from error


def read_record(folder: Path) -> dict[str, Any] | None:
    """The record in a folder; None if there is none.

    Raises:
        RunFolderError: it cannot be read, or another version wrote it.
    """
    path = folder / FILE
    if not path.exists():
        return None
    try:
        record = json.loads(read(path))
        written = record["format"]
        if written == FORMAT:
            _check(record)
    except KeyError as error:
        raise RunFolderError(f"{path} cannot be read as the record of a verdict: it has no {error}.") from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise RunFolderError(f"{path} cannot be read as the record of a verdict: {error}") from None
    if written != FORMAT:
        raise RunFolderError(f"{path} has format {plain(written)}, and this version of gevaldi reads format {FORMAT}.")
    return dict(record)


def _check(record: Any) -> None:
    """Refuse a record that lacks what is read of it.

    Raises:
        KeyError, TypeError: it does.
    """
    classifiers, pairs, pool, question = (record[name] for name in ("classifiers", "pairs", "pool", "question"))
    texts = [record["created"], pool["sha256"], *(own[key] for own in classifiers for key in ("name", "predictions_sha256"))]
    numbers = [pool["pictures"], record["order"]["seed"], *(pair["labels"] for pair in pairs)]
    questions = [question, *(one["question"] for one in record["questions"])]
    if not all(isinstance(text, str) for text in texts) or not all(isinstance(number, int) for number in numbers):
        raise TypeError("a value in it is of another type than expected.")
    for name in QUESTION:
        question[name]
    if not all(isinstance(one, dict) for one in questions) or not isinstance(record["questions"], list):
        raise TypeError("its questions are of another type than expected.")


def check_unchanged(verdict: Assessment, folder: Path) -> None:
    """Refuse a folder whose verdict was about something else: other pictures, another order, classifiers that answer differently.

    Once labels count, also another set of classifiers, other scores, another confidence or budget: who chooses these after a look
    at the labels may miss more often than the intervals say. The margin may change, since an interval holds for all margins.

    Raises:
        RunFolderError: something has changed; the message names it.
    """
    record = read_record(folder)
    if record is None:
        return
    changed, question = [], record["question"]
    if verdict.pool.digest != record["pool"]["sha256"]:
        counts = f"{record['pool']['pictures']:,} pictures then, {len(verdict.pool):,} now"
        changed.append(f"the pool {verdict.pool.name} has changed ({counts})")
    digests = {own["name"]: own["predictions_sha256"] for own in record["classifiers"]}
    for own in verdict.pool.predictions:
        if digests.get(own.name, own.digest) != own.digest:
            changed.append(f"{own.name} answers differently from before")
    settings = verdict.settings
    if settings.seed != record["order"]["seed"]:
        changed.append(f"the seed was {record['order']['seed']}")
    if any(pair["labels"] for pair in record["pairs"]) or verdict.answers.all():
        scores = [one.name for one in verdict.questions]
        now = {"scores": scores} | {name: getattr(settings, name) for name in ("confidence", "budget", "use_truth", "several")}
        question = {"several": Settings.several} | question  # which older records do not have
        changed += [
            f"{name.replace('_', ' ')} {'were' if name == 'scores' else 'was'} {_words(question[name])}"
            for name in now
            if now[name] != question[name]
        ]
        if list(digests) != verdict.names:
            changed.append(f"the classifiers were {', '.join(digests)}")
    if changed:
        raise RunFolderError(
            f"{folder} holds a verdict on something else: {'; '.join(changed)}. Its labels stay valid for their pictures: begin a "
            f"new verdict with them, --out NEW_FOLDER --labels {folder}"
        )


def _words(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else "not set" if value is None else str(value)


def old_labels(verdict: Assessment, folder: Path) -> int:
    """How many answers were given before the verdict in a folder was begun, and so before its question was asked."""
    record = read_record(folder)
    return sum(one.time < record["created"] for one in verdict.answers.all()) if record else 0
