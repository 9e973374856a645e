"""What people are asked: the disputed pictures of a verdict, the pictures of a comparison, or those of its regions."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gevaldi.errors import DataError, RunFolderError, SpecError
from gevaldi.images import open_picture, stored_bytes
from gevaldi.runs.store.regions import FOLDER as REGIONS
from gevaldi.runs.store.regions import RECORD, read_regions
from gevaldi.runs.store.run import Run
from gevaldi.storage import Location, location
from gevaldi.verdicts.final import Rule
from gevaldi.verdicts.order import priority
from gevaldi.verdicts.record import FILE as VERDICT

if TYPE_CHECKING:
    from PIL.Image import Image

    from gevaldi.comparison import Comparison
    from gevaldi.verdicts.verdict import Verdict

CERTAIN = 0.9  # probability from which an answer that all give is taken for known
HISTORY = 20  # points of the interval until now, which take a second of 10,000 answers
EXAMPLES = 3  # of each class


@dataclass(frozen=True)
class Item:
    """A question.

    Attributes:
        id: of the picture; it never leaves the server, since a folder in it may be its class.
        choices: the disputed classes, in an order that a hash of the id decides.
        drawn: whether a generator drew the picture.
    """

    id: str
    choices: tuple[str, ...]
    drawn: bool


@dataclass(frozen=True)
class Control:
    """A question whose answer is known."""

    item: Item
    answer: str


@dataclass(frozen=True)
class Status:
    """What the answers so far decide.

    Attributes:
        open: pictures that still need a first answer.
        left: how many more answers are needed, as far as that can be foretold.
        finished: whether no picture needs a first answer any more.
        interval: of the difference, in words; None of a comparison.
        point: the number of labels that count, and the interval as numbers; None of a comparison.
    """

    open: frozenset[str]
    left: int
    finished: bool
    interval: str | None = None
    point: tuple[int, float, float] | None = None


@dataclass(frozen=True)
class Queue:
    """The questions of a folder.

    Attributes:
        folder: where answers are stored.
        items: all questions, in the order in which they are asked.
        classes: the names of all classes.
        controls: by the id of the question before which each is asked.
        examples: ids of pictures of some classes, for the guide; none of them is asked.
        picture: a picture by its id.
        status: says what is still open, given the ids that have an answer.
        sentences: says what follows from the answers, for who owns the question; nothing of a comparison.
        history: says how the interval narrowed until now, as points of `Status`; nothing of a comparison.
        seed: of all choices by hash.
        rule: by which the answers of several people to a picture become one.
        sound: a picture's sound by its id, a FLAC file; None if the pictures are no sounds.
        ends_early: whether asking may end before all questions are answered.
    """

    folder: Path
    items: Sequence[Item]
    classes: tuple[str, ...]
    controls: Mapping[str, Control]
    examples: Mapping[str, Sequence[str]]
    picture: "Callable[[str], Image]"
    status: Callable[[frozenset[str]], Status]
    sentences: Callable[[], tuple[str, ...]] = tuple
    history: "Callable[[], Sequence[tuple[int, float, float]]]" = tuple
    seed: int = 0
    rule: Rule = "unanimous"
    sound: Callable[[str], bytes] | None = None
    ends_early: bool = False


def hash_fraction(text: str, seed: int) -> float:
    """A number in [0, 1) that a text and a seed decide."""
    return priority(text, seed) / 2.0**64


def blind(text: str, names: Iterable[str], seed: int) -> tuple[str, ...]:
    """Each name once, in an order that does not depend on whose answer it is."""
    return tuple(sorted(sorted(set(names)), key=lambda name: priority(f"{text} {name}", seed)))


def open_queue(
    what: "str | Path | Verdict | Comparison", *, region: int | None = None, controls: float = 0.1, until_decided: bool = True
) -> Queue:
    """The questions of a verdict, a comparison, or the regions of one.

    Args:
        what: a folder, or what `gevaldi.verdict` and `gevaldi.compare` return.
        region: the number of a region of a comparison; then only its pictures are asked.
        controls: the share of tasks whose answer is known.
        until_decided: whether to ask no more once the verdict is decided.

    Raises:
        SpecError: there is no picture to ask about.
        RunFolderError: the folder holds none of these, or lies elsewhere.
    """
    from gevaldi.verdicts.start import open_verdict
    from gevaldi.verdicts.verdict import Verdict

    if isinstance(what, Verdict):
        return of_verdict(what, controls, until_decided)
    folder = _near(what.run.folder if hasattr(what, "run") else location(what))
    if not folder.is_dir():
        raise RunFolderError(f"There is no folder {folder}. Name the folder of a verdict, of a comparison or of regions.")
    if (folder / VERDICT).exists():
        if region is not None:
            raise SpecError(f"{folder} holds a verdict, which has no regions. Leave --region out.")
        return of_verdict(open_verdict(folder), controls, until_decided)
    if (folder / RECORD).exists() and not (folder / "run.json").exists():
        return of_regions(folder, region)
    if region is not None:
        return of_regions(folder / REGIONS, region)
    return of_run(Run.open(folder), controls)


def _near(folder: Location) -> Path:
    if not isinstance(folder, Path):
        raise RunFolderError(f"{folder} is not on this machine, where answers are stored. Copy it, and label there.")
    return folder


# a verdict


def of_verdict(verdict: "Verdict", controls: float = 0.1, until_decided: bool = True) -> Queue:
    """The disputed pictures of a verdict. It is copied, so that a server and a notebook do not share one.

    Raises:
        SpecError: it has no folder, no pictures, or nothing to ask.
    """
    from gevaldi.verdicts.pictures import sound_of
    from gevaldi.verdicts.verdict import Verdict

    if verdict.folder is None:
        raise SpecError("The verdict has no folder to store answers in. Give it one: gevaldi.verdict(..., out=FOLDER).")
    if verdict.pool.pictures is None:
        raise SpecError("There are only tables, and people need the pictures. Name them: gevaldi verdict ... --pool folder:DIR.")
    own = Verdict(verdict.pool, verdict.questions, verdict.settings, verdict.folder)
    seed, pool = own.settings.seed, own.pool
    asked = own.items_at(own.disputed[[not own.is_known_by_pool(place) for place in own.disputed.tolist()]])
    items = [Item(one.id, blind(one.id, one.choices, seed), False) for one in asked]
    if not items:
        raise SpecError("There is nothing to ask: the classifiers agree, or the pool knows all classes (--no-truth asks anyway).")
    known = _known_classes(own)
    names = tuple(label.name for label in pool.classes)
    places = {one.id: one.place for one in asked}
    chosen, examples = _controls(items, known, names, controls, seed, lambda place: own.ids_at([place])[0])
    places |= {control.item.id: place for control, place in chosen.values()}
    places |= {text: place for some in examples.values() for text, place in some.items()}

    follower = VerdictFollower(own, until_decided)
    return Queue(
        verdict.folder,
        items,
        tuple(sorted(names)),  # in an order that is not one classifier's
        {text: control for text, (control, _) in chosen.items()},
        {name: tuple(some) for name, some in examples.items()},
        lambda text: _of_pool(pool, places[text]),
        follower.status,
        follower.sentences,
        follower.history,
        seed,
        own.settings.several,
        (lambda text: sound_of(pool, places[text])) if pool.sound else None,
        ends_early=until_decided,
    )


def _of_pool(pool: Any, place: int) -> "Image":
    from gevaldi.verdicts.pictures import picture_of

    found = picture_of(pool, place)
    assert found is not None  # a pool without pictures is refused
    return found


def _known_classes(verdict: "Verdict") -> dict[int, list[int]]:
    """Places of pictures on which all classifiers agree, and whose class is known or at least certain; by class, at random.

    Classes that the pool knows count only if the verdict uses them.
    """
    pool = verdict.pool
    tops = [own.top[:, 0] for own in pool.predictions]
    alike = np.logical_and.reduce([top == tops[0] for top in tops]) & (tops[0] >= 0)
    alike[verdict.disputed] = False
    certain = np.logical_and.reduce(
        [alike, *(own.probability[:, 0] >= CERTAIN for own in pool.predictions if own.probability is not None)]
    )
    alike = (
        certain
        if pool.truth is None or not verdict.uses_truth
        else np.where(pool.truth < 0, certain, alike & (pool.truth == tops[0]))
    )
    order = np.random.default_rng(verdict.settings.seed % 2**63).permutation(np.flatnonzero(alike))
    found: dict[int, list[int]] = {}
    for place in order.tolist():
        found.setdefault(int(tops[0][place]), []).append(place)
    return found


def _controls(
    items: Sequence[Item],
    known: Mapping[int, list[Any]],
    names: Sequence[str],
    controls: float,
    seed: int,
    name_of: Callable[[Any], str],
    drawn: bool = False,
) -> tuple[dict[str, tuple[Control, Any]], dict[str, dict[str, Any]]]:
    """Controls by the question that follows, whose choices are like those of questions; and examples of each disputed class."""
    left = {names[place]: list(some) for place, some in known.items()}
    examples = {}
    for name in sorted({name for item in items for name in item.choices} & left.keys()):
        some = [left[name].pop() for _ in range(min(EXAMPLES, len(left[name]) // 2))]
        if some:
            examples[name] = {name_of(one): one for one in some}
    found: dict[str, tuple[Control, Any]] = {}
    for item in items:
        if hash_fraction(f"control before {item.id}", seed) >= controls / (1 - controls):
            continue
        choices = items[int(hash_fraction(f"choices before {item.id}", seed) * len(items))].choices
        answer = next((name for name in blind(f"answer before {item.id}", choices, seed) if left.get(name)), None)
        if answer is not None:
            one = left[answer].pop(0)
            text = name_of(one)
            found[item.id] = (Control(Item(text, blind(text, choices, seed), drawn), answer), one)
    return found, examples


class VerdictFollower:
    """Follows a verdict as answers come, from any thread."""

    def __init__(self, verdict: "Verdict", until_decided: bool) -> None:
        self.verdict, self.until_decided = verdict, until_decided
        self._names = dict(zip(verdict.disputed.tolist(), verdict.ids_at(verdict.disputed), strict=True))
        self._lock = threading.Lock()
        self._forecast, self._next_forecast = (0, 0), 0.0  # labels to come, of so many that were open

    def status(self, answered: frozenset[str]) -> Status:
        """Read the answers that are new, also those of other processes, and decide again."""
        from gevaldi.verdicts.sentences import span

        with self._lock:
            own = self.verdict
            own.refresh()
            places = own.open_places() if self.until_decided else [one for one in own.disputed.tolist() if one not in own.truths]
            still = frozenset(self._names[place] for place in map(int, places))
            interval, main = own.interval, own.main
            words = span(interval, main.score, main.size)
            point = (main.used, interval.low, interval.high)
            return Status(still, self._left(len(still)), not still, words, point)

    def _left(self, still: int) -> int:
        """How many answers are needed; foretold anew whenever that takes a twentieth of the time since."""
        if not self.until_decided or not still:
            return still
        begin = time.monotonic()
        if begin >= self._next_forecast:
            self._forecast = self.verdict.forecast.labels, still
            self._next_forecast = begin + 20 * (time.monotonic() - begin)
        labels, before = self._forecast
        return min(still, max(1, labels - before + still))

    def history(self) -> list[tuple[int, float, float]]:
        """How the interval narrowed until now."""
        with self._lock:
            return self.verdict.main.path(HISTORY)

    def sentences(self) -> tuple[str, ...]:
        """What follows from the answers, for who owns the question."""
        from gevaldi.verdicts.sentences import basis, headline, labels_used, outlook

        with self._lock:
            return tuple(words for say in (headline, labels_used, basis, outlook) if (words := say(self.verdict)))


# a comparison


def _until_all(items: Sequence[Item]) -> Callable[[frozenset[str]], Status]:
    everything = frozenset(item.id for item in items)

    def status(answered: frozenset[str]) -> Status:
        still = everything - answered
        return Status(still, len(still), not still)

    return status


def of_run(run: Run, controls: float = 0.1) -> Queue:
    """The pictures at the end of each search on which the two read different classes.

    Raises:
        SpecError: there is none.
    """
    seed, items, known = run.spec.seed, [], dict[str, list[int]]()
    names = set[str]()
    columns = ["index", "status", "first_end", "second_end", "first_start", "second_start", "condition_name"]
    for row in run.each(columns):
        tops = {
            stage: [(row[f"{side}_{stage}"] or [{}])[0].get("name") for side in ("first", "second")] for stage in ("start", "end")
        }
        names.update(one["name"] for side in ("first_end", "second_end", "first_start", "second_start") for one in row[side] or ())
        if row["status"] != "failed" and None not in tops["end"] and tops["end"][0] != tops["end"][1]:
            text = f"sample-{row['index']}-end"
            items.append(Item(text, blind(text, tops["end"], seed), True))
        if tops["start"][0] is not None and tops["start"][0] == tops["start"][1] == row["condition_name"]:
            known.setdefault(tops["start"][0], []).append(row["index"])
    if not items:
        raise SpecError(f"There is nothing to ask: the two read the same class in every picture at the end of {run.folder}.")
    classes = tuple(sorted(names))
    ordered = sorted(items, key=lambda item: priority(item.id, seed))
    starts = {classes.index(name): some for name, some in known.items()}
    chosen, examples = _controls(ordered, starts, classes, controls, seed, lambda index: f"sample-{index}-start", drawn=True)
    return Queue(
        _near(run.folder),
        ordered,
        classes,
        {text: control for text, (control, _) in chosen.items()},
        {name: tuple(some) for name, some in examples.items()},
        lambda text: open_picture(_stored(run, text, "picture"), text),
        _until_all(ordered),
        seed=seed,
        sound=(lambda text: _stored(run, text, "sound")) if run.rate else None,
    )


def _stored(run: Run, text: str, kind: str) -> bytes:
    """The picture or the sound of a question."""
    _, index, stage = text.split("-")
    rows = run.some([int(index)], [f"{kind}_{stage}"])
    if not rows:
        raise DataError(f"Sample {index} is missing in {run.folder}. gevaldi verify says what has changed.")
    return stored_bytes(rows[0][f"{kind}_{stage}"], f"The {kind} of {text}")


def of_regions(folder: Path, region: int | None = None) -> Queue:
    """The examples and the most probable pictures of regions, or of one region.

    Raises:
        SpecError: there is none.
        RunFolderError: there are no regions, or they cannot be read.
    """
    found = read_regions(folder)
    if found is None:
        raise RunFolderError(f"There are no regions in {folder}. `gevaldi regions {folder.parent}` finds them.")
    pictures, sounds, items, names = dict[str, bytes](), dict[str, bytes](), [], set[str]()
    for one in found[1]:
        names.update((one.first, one.second))
        text = f"region-{one.region}-{one.role}-{one.name}"
        if one.role in ("exemplar", "probable") and region in (None, one.region) and one.first != one.second:
            pictures[text] = one.picture
            sounds |= {text: one.sound} if one.sound else {}
            items.append(Item(text, blind(text, (one.first, one.second), 0), True))
    if not items:
        numbers = sorted({one.region for one in found[1] if one.picture})
        if region is None:
            raise SpecError(f"There is nothing to ask: no region in {folder} has pictures on which the two read different classes.")
        raise SpecError(f"There is nothing to ask: region {region} has no pictures. Regions with pictures: {numbers}.")
    ordered = sorted(items, key=lambda item: priority(item.id, 0))
    picture = lambda text: open_picture(pictures[text], text)  # noqa: E731
    heard = sounds.__getitem__ if len(sounds) == len(pictures) else None
    return Queue(folder, ordered, tuple(sorted(names)), {}, {}, picture, _until_all(ordered), sound=heard)
