"""The samples of the gallery, from the rows of a run."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gevaldi.measures.duplicates import Choice, Deduplicated, choose
from gevaldi.measures.predictions import is_condition, top
from gevaldi.measures.summary import set_sizes_of
from gevaldi.names import plain
from gevaldi.reports.pictures import EmbeddedPictures, Thrift, embed_pictures, longest_side
from gevaldi.reports.search_path import COLUMNS as PATH_COLUMNS
from gevaldi.reports.search_path import finite, nearest_size, path_of
from gevaldi.reports.seriousness import RIGHT, WHO, between
from gevaldi.reports.sounds import STAGES as SOUNDS
from gevaldi.reports.sounds import Listening, embed_sounds
from gevaldi.runs.store.indices import Indices
from gevaldi.runs.store.run import Run
from gevaldi.taxonomy import Taxonomy

COLUMNS = [
    *("seed", "order", "status", "error", "steps", "condition", "condition_name", "target_classes", "divergence_start"),
    *("divergence_end", "delta_z", "typicality_start", "typicality_end", "picture_original", "picture_start", "picture_end"),
    *(
        "first_start",
        "first_end",
        "second_start",
        "second_end",
        "flipped",
        "shift",
        "right_start",
        "right_end",
        "both_more_confident",
        "survives_storage",
    ),
    *("picture_probable", "first_probable", "second_probable", "typicality_probable", "log_prior_probable"),
    *(f"sound_{stage}" for stage in SOUNDS),
]
SHOWN = 3  # classes per classifier


@dataclass(frozen=True)
class Gallery:
    """The gallery's content.

    Attributes:
        samples: dictionaries for the template, in the order of the page.
        names: of the predicted classes, by index.
        filters: for each categorical quantity with several values, its title and these values.
        nearest: the smallest number of top classes whose set distance the rows have.
        thrift: the compression of the pictures.
        longest: pixels of the longer side of the pictures in the run.
        probable: whether some samples have a most probable disagreement.
        selection: which samples these are and why, in a sentence; None if all are shown.
        listening: what the pictures are as sounds; None if they are none.
    """

    samples: list[dict[str, Any]]
    names: dict[int, str]
    filters: list[dict[str, Any]]
    nearest: int | None
    thrift: Thrift
    longest: int
    probable: bool
    selection: str | None
    listening: Listening | None


def gallery(run: Run, limit: int, deduplicated: Deduplicated, taxonomy: Taxonomy | None = None, taken: int = 0) -> Gallery:
    """The samples, then failed ones; if there are more than `limit`, a varied choice of them.

    Those with the most probable disagreements come first, pairs of classes in turn; without any, those with the largest divergence.
    Their sounds share the page with others, which have taken some bytes.
    """
    sizes = run.spec.set_sizes
    columns = [*COLUMNS, *PATH_COLUMNS, *(f"set_distance_{n}_{stage}" for n in sizes for stage in ("start", "end"))]
    columns += [f"path_set_distance_{n}" for n in sizes]
    failed = Indices(run.total)
    for row in run.each(["index", "status"]):
        if row["status"] == "failed":
            failed.add(row["index"])
    good = len(run.done()) - len(failed)
    choice = choose(deduplicated, limit) if good > limit else None
    told = [*islice(failed, max(20, limit // 10))]
    rows = run.some(choice.indices.tolist(), columns) if choice else run.largest(limit, columns)
    rows = in_turns(rows) + run.some(told, columns)
    pictures, thrift = embed_pictures(rows)
    sounds, listening = embed_sounds(rows, taken)
    samples = [
        sample(row, found, heard, -place, taxonomy) | {"like": like(row["index"], deduplicated, choice is not None)}
        for place, (row, found, heard) in enumerate(zip(rows, pictures, sounds, strict=True))
    ]
    nearest = min((n for row in rows if (n := nearest_size(row)) is not None), default=None)
    names = names_of(rows)
    said = selection(choice, good, len(failed), len(told)) if choice or len(told) < len(failed) else None
    probable = any(row["picture_probable"] for row in rows)
    return Gallery(samples, names, filters(samples, names), nearest, thrift, longest_side(rows), probable, said, listening)


def selection(choice: Choice | None, good: int, failed: int, told: int) -> str:
    """Which successful and which failed samples the page shows, in a sentence."""
    shown = len(choice.indices) if choice else good
    if choice is None:
        which = f"all {good:,} that did not fail"
    elif shown > choice.differing:
        others = shown - choice.differing
        which = f"the {choice.differing:,} distinct samples that end with different top classes and {others:,} others"
    else:
        which = (
            f"{shown:,}, without near-duplicates: those with the largest divergence, but at most {choice.most} for each pair of "
            f"classes, so that no confusion fills the page; they cover {choice.shown:,} of the {choice.pairs:,} pairs that occur"
        )
    also = f"; and {told if told < failed else 'all'} of the {failed:,} that failed" if failed else ""
    return f"Of {good + failed:,} samples the page shows {which}{also}. Sorting and filtering work on these."


def like(index: int, deduplicated: Deduplicated, some: bool) -> dict[str, Any] | None:
    """The sample that it duplicates, or how many near-duplicates it has; if `some`, also how many end with its two classes."""
    of = int(deduplicated.like[index])
    if of < 0:
        return None
    pair = (
        (deduplicated.first == deduplicated.first[index])
        & (deduplicated.second == deduplicated.second[index])
        & (deduplicated.like >= 0)
    )
    return {"of": None if of == index else of, "many": int(deduplicated.alike[index]), "pair": int(pair.sum()) if some else None}


def in_turns(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with the most probable disagreement of each pair of classes first, then the second ones, and so on.

    Rows without one come last, in the order that they have.
    """
    turns: Counter[tuple[int | None, int | None]] = Counter()
    places = {}
    probable = [row for row in rows if row["log_prior_probable"] is not None]
    for row in sorted(probable, key=lambda row: -row["log_prior_probable"]):
        pair = (_label(row, "first", "probable"), _label(row, "second", "probable"))
        places[row["index"]] = (turns[pair], -row["log_prior_probable"])
        turns[pair] += 1
    return sorted(rows, key=lambda row: places.get(row["index"], (len(rows), 0.0)))


def sample(
    row: dict[str, Any], pictures: EmbeddedPictures, sounds: dict[str, str], rank: int = 0, taxonomy: Taxonomy | None = None
) -> dict[str, Any]:
    """One sample; `rank` is larger for those that come first."""
    asked = row["condition_name"]
    stages = [stage(row, "start", "before", pictures.start, sounds), stage(row, "end", "after", pictures.end, sounds)]
    if pictures.probable and row["picture_probable"] != row["picture_end"]:  # which are one if it was the only goal
        stages.insert(0, stage(row, "probable", "most probable", pictures.probable, sounds))
    return {
        "kind": kind_in_words(row),
        "way": between(taxonomy, *(_label(row, side) for side in ("first", "second"))),
        "set_distances": [(n, row[f"set_distance_{n}_start"], row[f"set_distance_{n}_end"]) for n in set_sizes_of(row)],
        **{key: row[key] for key in ("index", "seed", "order", "status", "steps", "divergence_start", "divergence_end")},
        **{key: row[key] for key in ("delta_z", "typicality_start", "typicality_end", "typicality_probable")},
        "survives_storage": row["survives_storage"],
        "error": plain_error(row["error"]),
        "condition": plain(asked) if asked is not None else None,
        "pictures": pictures,
        "original_sound": sounds.get("original"),
        "stages": stages if pictures.start and pictures.end else [],
        "path": path_of(row, pictures, nearest_size(row)),
        "sought": sort_quantities(row, rank),
    }


def sort_quantities(row: dict[str, Any], rank: int = 0) -> dict[str, Any]:
    """The quantities by which the page sorts and filters a sample."""
    nearest = nearest_size(row)
    return {
        "index": row["index"],
        **{key: row[key] for key in ("order", "status", "flipped", "shift", "condition")},
        "right": row["right_end"],
        "survives_storage": None if row["survives_storage"] is None else "yes" if row["survives_storage"] else "no",
        "first": _label(row, "first"),
        "second": _label(row, "second"),
        "kind": kind_in_words(row) or None,
        "divergence": finite(row["divergence_end"]),
        "distance": finite(row[f"set_distance_{nearest}_end"]) if nearest is not None else None,
        "delta_z": finite(row["delta_z"]),
        "typicality": finer(row["typicality_end"]),
        "probable": None if row["log_prior_probable"] is None else rank,
    }


def finer(typicality: float | None) -> float | None:
    """A typicality with enough digits to tell 0.9989 from 0.9991."""
    return None if typicality is None or not math.isfinite(typicality) else round(typicality, 5)


def filters(samples: Sequence[dict[str, Any]], names: dict[int, str]) -> list[dict[str, Any]]:
    """The categorical quantities on which the samples differ, with the values that occur."""
    conditions = {s["sought"]["condition"]: s["condition"] for s in samples}
    words: dict[str, tuple[str, dict[Any, str]]] = {
        "order": ("order", {}),
        "status": ("search", {}),
        "flipped": ("flip", WHO),
        "shift": ("how far", {}),
        "condition": ("requested class", conditions),
        "right": ("right after", RIGHT),
        "survives_storage": ("survives storage", {}),
        "first": ("first's answer after", names),
        "second": ("second's answer after", names),
    }
    found = []
    for key, (title, called) in words.items():
        values = sorted({s["sought"][key] for s in samples} - {None})
        if len(values) > 1:
            found.append({"key": key, "title": title, "values": [(value, called.get(value, value)) for value in values]})
    return found


def names_of(rows: Sequence[dict[str, Any]]) -> dict[int, str]:
    """The names of all classes in the rows."""
    listed = (bar for row in rows for key in ("first_start", "first_end", "second_start", "second_end") for bar in row[key] or ())
    found = {bar["label"]: plain(bar["name"]) for bar in listed}
    return dict(sorted(found.items()))


def _label(row: dict[str, Any], side: str, stage: str = "end") -> int | None:
    return (top(row, side, stage) or {}).get("label")


def kind_in_words(row: dict[str, Any]) -> str:
    """The kind of a row's change: "the first flipped, lateral · both right → only the second right"."""
    if row["flipped"] is None:
        return ""
    parts = [WHO[row["flipped"]] + (f", {row['shift']}" if row["shift"] else "")]
    if row["right_end"]:
        before, after = RIGHT[row["right_start"]], RIGHT[row["right_end"]]
        parts.append(
            f"{before}, more confident"
            if row["both_more_confident"] and before == after
            else f"{before} → {after}"
            if before != after
            else before
        )
    return " · ".join(parts)


def plain_error(error: Any) -> str | None:
    """An error of one line, at most 300 characters."""
    return None if error is None else plain(" ".join(str(error).split()), 300)


def stage(row: dict[str, Any], key: str, title: str, picture: str | None, sounds: dict[str, str]) -> dict[str, Any]:
    """A sample at one stage: before or after its search."""
    bars = {side: [_bar(row, found) for found in (row[f"{side}_{key}"] or [])[:SHOWN]] for side in ("first", "second")}
    said = {side: shown[0]["name"] if shown else "no prediction" for side, shown in bars.items()}
    return {"key": key, "title": title, "picture": picture, "sound": sounds.get(key), "bars": bars, "said": said}


def _bar(row: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    asked = row["condition_name"] is not None and is_condition(row, found)
    return {"name": plain(found["name"]), "probability": found["probability"], "condition": asked}
