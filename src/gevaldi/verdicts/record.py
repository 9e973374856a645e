"""The record of a verdict, `verdict.json`: what was asked, of which classifiers and pictures, by which labels it was decided."""

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from gevaldi.errors import RunFolderError
from gevaldi.files import write_whole
from gevaldi.verdicts.assessment import Assessment
from gevaldi.verdicts.sentences import sentences

FILE = "verdict.json"
FORMAT = 1
PACKAGES = ("gevaldi", "numpy", "pyarrow", "torch")


def record_of(verdict: Assessment) -> dict[str, Any]:
    """Everything that the decision follows from, and the decision, as JSON."""
    return {
        "format": FORMAT,
        "question": {
            "scores": [question.name for question in verdict.questions],
            "margin": verdict.margin,
            "claim": verdict.claim,
            "confidence": verdict.confidence,
            "budget": verdict.budget,
        },
        "classifiers": [
            {"name": own.name, "predictions_sha256": own.digest, "source": dict(own.source)} for own in verdict.pool.predictions
        ],
        "pool": {"name": verdict.pool.name, "pictures": len(verdict.pool), "sha256": verdict.pool.digest},
        "order": {"seed": verdict.seed, "pictures": len(verdict.disputed), "sha256": _hash_of_order(verdict)},
        "versions": {"python": platform.python_version()} | {name: version(name) for name in PACKAGES},
        "pairs": [_pair(verdict, *key) for key in verdict.evidence],
        "ranking": asdict(verdict.ranking) if len(verdict.names) > 2 else None,
        "guess": _guess(verdict),
        "state": verdict.state,
        "sentences": sentences(verdict),
        "labels": {"known_by_the_pool": verdict.uses_truth, "answers": [asdict(one) for one in verdict.answers.all()]},
    }


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
        "difference": _numbers(difference.value, difference.low, difference.high),
        "on_pictures_like_these": _numbers(None, *own.on_pictures_like_these()),
        "negative_flips": _numbers(flips.negative.value, flips.negative.low, flips.negative.high),
        "positive_flips": _numbers(flips.positive.value, flips.positive.low, flips.positive.high),
        "decision": decision.word,
    }


def _numbers(value: float | None, low: float, high: float) -> dict[str, float | None]:
    return {"estimate": value if value == value else None, "low": low, "high": high}


def _hash_of_order(verdict: Assessment) -> str:
    return sha256("\n".join(verdict.ids_at(verdict.disputed)).encode()).hexdigest()


def write_record(verdict: Assessment, folder: Path) -> None:
    """Write `verdict.json`, whole or not at all; the time of the first record stays.

    Raises:
        RunFolderError: the folder cannot be written.
    """
    before = read_record(folder) or {}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record = {"created": before.get("created", now), "written": now, **record_of(verdict)}
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
        record = json.loads(path.read_bytes())
        written = record["format"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise RunFolderError(f"{path} cannot be read as the record of a verdict: {error}") from None
    if written != FORMAT:
        raise RunFolderError(f"{path} has format {written}, and this version of gevaldi reads format {FORMAT}.")
    return dict(record)


def check_unchanged(verdict: Assessment, record: Mapping[str, Any], folder: Path) -> None:
    """Refuse a folder whose verdict was about other pictures, another order, or classifiers that answer differently now.

    Raises:
        RunFolderError: something is not what it was; the message names it.
    """
    here = record_of(verdict)
    changed = []
    if here["pool"]["sha256"] != record["pool"]["sha256"]:
        counts = f"{record['pool']['pictures']:,} pictures then, {here['pool']['pictures']:,} now"
        changed.append(f"the pool {here['pool']['name']} is not what it was ({counts})")
    by_name = {own["name"]: own["predictions_sha256"] for own in record["classifiers"]}
    for own in here["classifiers"]:
        if own["name"] not in by_name:
            changed.append(f"{own['name']} was not among the classifiers")
        elif by_name[own["name"]] != own["predictions_sha256"]:
            changed.append(f"{own['name']} answers differently from before")
    if here["order"]["seed"] != record["order"]["seed"]:
        changed.append(f"the seed was {record['order']['seed']}")
    if changed:
        raise RunFolderError(
            f"{folder} holds a verdict on something else: {'; '.join(changed)}. Its labels stay valid for their pictures: begin a "
            f"new verdict with them, --out NEW_FOLDER --labels {folder}"
        )
