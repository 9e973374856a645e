"""Checks that a run is unchanged: its record, every byte of its rows, the consistency of rows, and its inputs.

Needs no torch and no networks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gevaldi.errors import GevaldiError, RunFolderError
from gevaldi.measures.kinds import Scale, kind
from gevaldi.provenance import from_lines, sha256_of
from gevaldi.runs.start import chosen_conditions, sample_seed, start_at
from gevaldi.runs.store.part import check_whole, read_part
from gevaldi.runs.store.pictures import pictures_of
from gevaldi.runs.store.run import INPUTS, PICTURES, Run
from gevaldi.runs.store.schema import Row
from gevaldi.spec import Spec, read_spec, spec_from, with_goal
from gevaldi.storage import read
from gevaldi.taxonomy import edge_counts
from gevaldi.taxonomy.base import hash_of_taxonomy
from gevaldi.taxonomy.distances import frequencies

NAMED = 3  # most failures that a finding names


@dataclass(frozen=True)
class Finding:
    """The result of one check, with a description."""

    holds: bool
    text: str


def verify(run: Run) -> Iterator[Finding]:
    """Check all of a run, one finding at a time; checking the rows takes time."""
    yield Finding(True, f"run.json: SHA-256 {run.digest}, spec {run.spec.fingerprint}")
    yield from _spec_file(run)
    yield from _taxonomy(run)
    yield from _pictures(run)
    yield from _rows(run)
    yield from _inputs(run)


def _spec_file(run: Run) -> Iterator[Finding]:
    path = run.folder / "spec.yaml"
    if not run.has(path.name):
        return
    try:
        beside, own = (_deciding(spec) for spec in (spec_from(with_goal(read_spec(path)), str(path)), run.spec))
    except GevaldiError as error:
        yield Finding(False, str(error))
        return
    same = beside == own
    yield Finding(same, f"spec.yaml: {'same spec as the record' if same else 'differs from the spec of the record'}")


def _deciding(spec: Spec) -> dict[str, Any]:
    """Without the taxonomy, because spec.yaml names the copy in the folder instead."""
    return {key: value for key, value in spec.deciding.items() if key != "taxonomy"} | {"samples": spec.samples}


def _taxonomy(run: Run) -> Iterator[Finding]:
    known = run.record["taxonomy"]
    if not known:
        return
    try:
        taxonomy = run.taxonomy()
    except GevaldiError as error:
        yield Finding(False, str(error))
        return
    same = taxonomy is not None and hash_of_taxonomy(taxonomy) == known["sha256"]
    which = (
        "same hierarchy as the record" if same else "missing" if taxonomy is None else "differs from the hierarchy of the record"
    )
    yield Finding(same, f"taxonomy.json: {which}")


def _pictures(run: Run) -> Iterator[Finding]:
    """Check the file of pictures against its hash, and the counts of the record against the file."""
    if not run.record.get("pictures"):
        return
    try:
        real = [row for row in pictures_of(run) if row["kind"] == "real"]
    except RunFolderError as error:
        yield Finding(False, str(error))
        return
    counts = run.record.get("evaluation") or {"pictures": 0, "differ": 0, "only_first": 0, "only_second": 0}
    seen = {
        "pictures": len(real),
        "differ": sum(row["first_label"] != row["second_label"] for row in real),
        "only_first": sum(bool(row["first_right"]) and row["second_right"] is False for row in real),
        "only_second": sum(bool(row["second_right"]) and row["first_right"] is False for row in real),
    }
    wrong = [f"{key} is {counts[key]:,} in the record and {count:,} here" for key, count in seen.items() if counts[key] != count]
    yield Finding(not wrong, f"{PICTURES}: {'; '.join(wrong) or f'{len(real):,} real pictures'}")


def _rows(run: Run) -> Iterator[Finding]:
    """Check every part against its hash and checksums, and every row against the spec and its own columns."""
    rules, wrong, parts, rows = Rules(run), list[str](), run.parts(), 0
    for part in parts:
        try:
            check_whole(part)
            table = read_part(part, None, run.origin)
        except RunFolderError as error:
            yield Finding(False, str(error))
            continue
        for row in table.to_pylist():
            rows += 1
            wrong += [f"sample {row['index']}: {trouble}" for trouble in rules.broken_by(row)]
    more = f"; and {len(wrong) - NAMED:,} more" if len(wrong) > NAMED else ""
    if wrong:
        yield Finding(False, f"rows that contradict the record or themselves: {'; '.join(wrong[:NAMED])}{more}")
    done = len(run.done()) if not wrong else rows
    yield Finding(not wrong, f"samples: {done:,} of {run.total:,} rows in {len(parts):,} part{'s' * (len(parts) != 1)}")


class Rules:
    """The values that a row must have, given the spec, the record of its run, and its other columns."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._known: tuple[Any, ...] = tuple(
            SimpleNamespace(**label) for label in run.record["models"]["generator"].get("conditions", ())
        )
        self._conditions = chosen_conditions(run.spec, self._known)

    @cached_property
    def _scale(self) -> Scale | None:
        known = self._run.record["taxonomy"]
        if not known:
            return None
        taxonomy, whole = self._run.taxonomy(), self._run.whole_taxonomy()
        assert taxonomy
        assert whole
        return Scale(edge_counts(taxonomy), known["convention"], frequencies(edge_counts(whole)))

    def broken_by(self, row: Row) -> Iterator[str]:
        """The rules that a row breaks, in words."""
        start = start_at(row["index"], self._run.spec, self._conditions)
        condition = self._known[start.condition] if start.condition is not None else SimpleNamespace(name=None, id=None)
        candidate = row["candidate"] or 0
        expected = {
            "seed": sample_seed(start.seed, candidate) if candidate else start.seed,
            "order": start.order,
            "condition": start.condition,
            "condition_name": condition.name,
            "condition_id": condition.id,
        }
        if row["status"] != "failed":
            expected |= _ends_of_path(row) | kind(row, self._scale)
            expected.pop("both_more_confident", None)  # decided with more digits than a row stores
        for column, value in expected.items():
            if row[column] != value:
                yield f"{column} is {row[column]!r}, but {value!r} was expected"


def _ends_of_path(row: Row) -> Row:
    """The values at a sample's start and end, according to its path."""
    ends: Row = {}
    for column in ("divergence", "log_prior"):
        if (path := row[f"path_{column}"]) and row["step_end"] is not None:
            ends |= {f"{column}_start": path[0], f"{column}_end": path[row["step_end"]]}
    return ends


def _inputs(run: Run) -> Iterator[Finding]:
    """Check the list of the run's input files against its hash in the record, and the files themselves if they still exist."""
    try:
        content = read(run.folder / INPUTS)
    except OSError as error:
        yield Finding(False, f"{INPUTS} cannot be read: {error}")
        return
    if sha256(content).hexdigest() != run.record["inputs"]["sha256"]:
        yield Finding(False, f"{INPUTS}: differs from the list of the record")
        return
    files = from_lines(content.decode(errors="surrogateescape"))
    here = [path for path in files if Path(path).is_file()]
    changed = [path for path in here if sha256_of(Path(path)) != files[path]]
    elsewhere = f", {len(files) - len(here):,} not at their paths here" if len(here) < len(files) else ""
    yield Finding(True, f"inputs: {len(here) - len(changed):,} of {len(files):,} files unchanged{elsewhere}")
    if changed:
        more = f" and {len(changed) - NAMED:,} more" if len(changed) > NAMED else ""
        yield Finding(False, f"inputs that have changed since: {', '.join(changed[:NAMED])}{more}")
