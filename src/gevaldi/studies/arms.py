"""The pictures of each arm, from a run: what its searches reached, what its generator drew, and where draws are disputed."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

from gevaldi.images import open_picture
from gevaldi.runs.store.pictures import pictures_of
from gevaldi.runs.store.regions import FOLDER, read_regions
from gevaldi.runs.store.run import Run
from gevaldi.spec import MOST_PROBABLE
from gevaldi.studies.plan import ArmName, Plan

T = TypeVar("T")
SMALL, SHOWN_SIDE = 64, 320  # pixels: up to the first, a picture is enlarged to about the second
NEAREST = 0  # of Pillow's ways to resize
FORWARD_ONLY = (
    "The run searched in one order only, {order}, so the maximally different samples are those that one classifier is sure of and "
    "the other rules out. With `--orders both` neither has the advantage."
)


@dataclass(frozen=True)
class ShownPicture:
    """A picture of an arm.

    Attributes:
        first, second: what the two classifiers say it shows.
        source: where it comes from, in words.
        content: as PNG.
    """

    first: str
    second: str
    source: str
    content: bytes


@dataclass(frozen=True)
class Arms:
    """The arms that a run has pictures for, and sentences about the others."""

    pictures: dict[ArmName, list[ShownPicture]]
    notes: list[str]


def shuffled(items: Iterable[T], *key: object) -> list[T]:
    """Items in a random order that is a function of the key alone, on every machine."""
    listed = [*enumerate(items)]
    return [item for _, item in sorted(listed, key=lambda pair: sha256(repr((*key, pair[0])).encode()).digest())]


def arms_of(run: Run, plan: Plan) -> Arms:
    """Choose the pictures of each arm of a plan at random. An arm with too few is left out, with a sentence that says why.

    Raises:
        RunFolderError, DataError: the run cannot be read.
    """
    found = {
        "maximally different": lambda: [] if run.spec.search.goal == MOST_PROBABLE else _samples(run, plan, "end"),
        "most probable": lambda: _samples(run, plan, "end" if run.spec.search.goal == MOST_PROBABLE else "probable"),
        "typical disagreements": lambda: _disputed_draws(run, plan),
        "random": lambda: _samples(run, plan, "start"),
    }
    pictures, notes = dict[ArmName, list[ShownPicture]](), []
    for arm in plan.arms:
        some = found[arm]()
        if len(some) < plan.pictures:
            notes.append(
                f"The arm “{arm}” is left out: it needs {plan.pictures} pictures, and the run has {len(some)}. {REMEDIES[arm]}"
            )
        else:
            pictures[arm] = [_as_png(one) for one in some[: plan.pictures]]
    if "maximally different" in pictures and len(run.spec.searches) == 1:
        notes.append(FORWARD_ONLY.format(order=run.spec.searches[0]))
    if "random" in pictures and run.spec.search.candidates > 1:
        notes.append(
            f"The random pictures are starts of the search, each chosen out of {run.spec.search.candidates} draws. For plain "
            "draws, repeat the run with search.candidates=1."
        )
    return Arms(pictures, notes)


REMEDIES: dict[ArmName, str] = {
    "maximally different": "More samples: gevaldi compare with a larger --samples.",
    "most probable": "gevaldi compare finds them with search.goal=both, its default.",
    "typical disagreements": "gevaldi regions FOLDER finds more; or show fewer pictures.",
    "random": "More samples: gevaldi compare with a larger --samples.",
}


def _samples(run: Run, plan: Plan, stage: str) -> list[ShownPicture]:
    """Pictures of samples at a stage: start, end, or probable; those of the last two only where the top classes differ.

    Both orders of a start end in similar pictures, so each start is shown once, and the orders take turns.
    """
    names = [f"first_{stage}", f"second_{stage}"]
    known = run.each(["index", "order", "status", *names, *([] if stage == "start" else [f"survives_storage{SUFFIX[stage]}"])])
    by_start: dict[int, dict[str, int]] = {}
    for row in known:
        if row["status"] != "failed" and _counts(row, stage, run):
            by_start.setdefault(row["index"] // len(run.spec.searches), {})[row["order"]] = row["index"]
    starts = shuffled([by_start[start] for start in sorted(by_start)], plan.seed, stage)
    chosen = [_in_order(own, run.spec.searches, i) for i, own in enumerate(starts)][: plan.pictures]
    return [
        ShownPicture(
            row[names[0]][0]["name"],
            row[names[1]][0]["name"],
            f"sample {row['index']}, {WORDS[stage]}",
            row[f"picture_{stage}"]["bytes"],
        )
        for row in run.some(chosen, [*names, f"picture_{stage}"])
        if row[f"picture_{stage}"]
    ]


def _in_order(samples: dict[str, int], orders: Sequence[str], turn: int) -> int:
    """The sample of a start in the order whose turn it is, or else in the other."""
    return samples.get(orders[turn % len(orders)], next(iter(samples.values())))


SUFFIX = {"end": "", "probable": "_probable"}
WORDS = {"start": "before the search", "end": "after the search", "probable": "most probable disagreement"}


def _counts(row: dict[str, Any], stage: str, run: Run) -> bool:
    """Whether an arm may show the picture of a row. Both orders share a start, which counts once."""
    first, second = row[f"first_{stage}"], row[f"second_{stage}"]
    if not first or not second:
        return False
    if stage == "start":
        return bool(row["order"] == run.spec.searches[0])
    return first[0]["name"] != second[0]["name"] and row[f"survives_storage{SUFFIX[stage]}"] is not False


def _in_turn(lists: Sequence[Sequence[T]]) -> list[T]:
    """The items of some lists: the first of each, then the second of each, and so on."""
    longest = max(map(len, lists), default=0)
    return [own[i] for i in range(longest) for own in lists if i < len(own)]


def _disputed_draws(run: Run, plan: Plan) -> list[ShownPicture]:
    """Plain draws on which the two differ, at random; then the exemplars of regions, region by region."""
    drawn = [
        ShownPicture(row["first_class"], row["second_class"], f"draw {row['index']} of the audit", row["picture"]["bytes"])
        for row in pictures_of(run)
        if row["kind"] == "drawn" and row["first_label"] != row["second_label"] and row["picture"]
    ]
    _, shown = read_regions(run.folder / FOLDER) or ({}, [])
    exemplars = [one for one in shown if one.role == "exemplar"]
    regions = [[one for one in exemplars if one.region == number] for number in sorted({one.region for one in exemplars})]
    typical = [
        ShownPicture(one.first, one.second, f"draw {one.name}, typical of region {one.region}", one.picture)
        for one in _in_turn(regions)
    ]
    return [*shuffled(drawn, plan.seed, "draws"), *typical]


def _as_png(one: ShownPicture) -> ShownPicture:
    """The picture encoded again, so that its file says nothing but its pixels; a small one enlarged without smoothing."""
    picture, sink = open_picture(one.content, f"The picture of {one.source}"), io.BytesIO()
    times = SHOWN_SIDE // max(picture.size) if max(picture.size) <= SMALL else 1
    picture.resize((times * picture.width, times * picture.height), NEAREST).save(sink, "PNG")
    return ShownPicture(one.first, one.second, one.source, sink.getvalue())
