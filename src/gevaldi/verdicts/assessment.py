"""What labels of a pool decide about some classifiers, and which pictures to label next."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from gevaldi.errors import SpecError
from gevaldi.predictions.base import Pool
from gevaldi.statistics.intervals import Estimate
from gevaldi.verdicts.answers import NEITHER, WITHDRAWN, Answer, Answers
from gevaldi.verdicts.decisions import Claim, Decision, State, thresholds
from gevaldi.verdicts.evidence import Evidence, Flips, Truth
from gevaldi.verdicts.final import final_answers
from gevaldi.verdicts.forecast import Forecast, expected_by_split, forecast
from gevaldi.verdicts.guess import Guess
from gevaldi.verdicts.labels import labels_of_pool, refuse_reserved, truth_of
from gevaldi.verdicts.order import is_first, priorities
from gevaldi.verdicts.people import error_of
from gevaldi.verdicts.questions import Question
from gevaldi.verdicts.ranking import Ranking, estimates_by_vote
from gevaldi.verdicts.read import labels_named
from gevaldi.verdicts.settings import Settings

Pair = tuple[int, int]
Key = tuple[int, Pair]
WITHOUT_MARGIN: Claim = "not-worse"  # the claim about further questions and further classifiers


@dataclass(frozen=True)
class Item:
    """A picture to label.

    Attributes:
        id: of the picture.
        place: of the picture in the pool.
        choices: the classes that classifiers name, in an order that does not give away whose they are.
    """

    id: str
    place: int
    choices: tuple[str, ...]


class Assessment:
    """Which of some classifiers is better, by labels of the pictures of a pool on which they differ.

    The intervals of all differences hold together, with the given confidence, however often they are looked at.

    Attributes:
        pool: the pictures, and what all classifiers say of them.
        questions: how answers are scored, on which pictures; the first one decides.
        settings: what is asked.
        folder: of the files; None if there is none.
        answers: what people said.
        evidence: for each question and pair of classifiers.
        truths: what pictures show, by place in the pool; of disputed pictures only.
        guess: what a generator says; None if none was asked.
        label_files: the files and folders from which labels were added, with their options.
        notes: what a reader has to know of the pool and of labels that were added.
        call: the names by which classifiers and pool can be loaded again; empty if they were objects.
    """

    def __init__(self, pool: Pool, questions: Sequence[Question], settings: Settings, folder: Path | None = None) -> None:
        self.pool, self.questions, self.settings, self.folder = pool, tuple(questions), settings, folder
        if len(set(self.names)) < len(self.names):
            raise SpecError(
                f"Two classifiers have the same name: {', '.join(self.names)}. Name a table otherwise: table:FILE,name=NEW."
            )
        refuse_reserved(pool)
        self.answers = Answers(folder)
        self.label_files: list[str] = []
        self.notes: list[str] = list(pool.notes)
        self.guess: Guess | None = None
        self.call: dict[str, Any] = {}
        self.evidence = {key: self._evidence_of(*key) for key in self._keys}
        self.truths = {place: truth for place in self.disputed.tolist() if (truth := self._truth_of_pool(place))}
        self._by_picture: defaultdict[str, list[Answer]] = defaultdict(list)
        self._read = 0  # answers entered so far
        self.refresh()

    @property
    def names(self) -> list[str]:
        """The classifiers."""
        return [own.name for own in self.pool.predictions]

    @cached_property
    def pairs(self) -> list[Pair]:
        """All pairs of classifiers, by their places, the older one first."""
        return list(combinations(range(len(self.pool.predictions)), 2))

    @property
    def _keys(self) -> list[Key]:
        return [(number, pair) for number in range(len(self.questions)) for pair in self.pairs]

    @property
    def uses_truth(self) -> bool:
        """Whether classes that the pool knows count as labels."""
        return self.settings.use_truth and self.pool.truth is not None

    # the order

    @cached_property
    def disputed(self) -> np.ndarray:
        """The places of all pictures that may need a label, in the order of labelling."""
        wanted = np.zeros(len(self.pool), dtype=bool)
        for number, pair in self._keys:
            wanted |= self.questions[number].disputed(self.pool, *pair)
        places = np.flatnonzero(wanted)
        return places[np.argsort(priorities(self.ids_at(places), self.settings.seed), kind="stable")]

    @cached_property
    def _ids(self) -> dict[str, int]:
        return dict(zip(self.ids_at(self.disputed), self.disputed.tolist(), strict=True))

    def ids_at(self, places: Sequence[int] | np.ndarray) -> list[str]:
        """The ids of pictures at some places."""
        return list(self.pool.ids.take(np.asarray(places, dtype=np.int64)).to_pylist())

    def _evidence_of(self, number: int, pair: Pair) -> Evidence:
        question, budget = self.questions[number], self.settings.budget
        own = question.disputed(self.pool, *pair)[self.disputed]
        most = None if budget is None else int(own[:budget].sum())
        miss = self.settings.miss / len(self._keys)
        return Evidence(*pair, question.score, question.size(self.pool), self.disputed[own], miss, most)

    # labels

    def add(self, labels: Mapping[str, str] | Sequence[Answer] | str | Path, person: str = "", source: str = "Python") -> int:
        """Store labels and decide again.

        Args:
            labels: classes by picture id, with "neither" and "cannot tell"; answers; or a file or folder that `labels_named` reads.
                What a file said before and does not say any more is withdrawn.
            person: who gave them, if they do not say so themselves.
            source: where they come from, if they do not say so.

        Returns:
            How many answers were new.

        Raises:
            DataError: the file cannot be read, a picture has two answers, no label belongs to a picture of the pool, or a class is
                none of the classifiers' classes. Nothing is taken then.
        """
        is_file, spelling = isinstance(labels, str | Path), str(labels)
        if isinstance(labels, str | Path):
            source, given = labels_named(spelling)
        elif isinstance(labels, Mapping):
            given = [Answer(picture, str(answer)) for picture, answer in labels.items()]
        else:
            given = list(labels)
        named = [replace(one, person=one.person or person, source=one.source or source) for one in given]
        found, notes = labels_of_pool(self.pool, self._ids, named, source, is_file)
        gone = self._gone(found, source) if is_file else []
        if gone:
            notes.append(f"{len(gone):,} labels that {source} no longer holds are withdrawn.")
        count = self.answers.add([*map(self._with_choices, found), *gone])
        self.notes += [note for note in notes if note not in self.notes]
        self.label_files += [spelling] if is_file and spelling not in self.label_files else []
        self.refresh()
        return count

    def _with_choices(self, answer: Answer) -> Answer:
        """A "neither" with the classes that it is none of: those that classifiers name, unless the answer says it."""
        place = self._ids.get(answer.picture)
        if answer.answer != NEITHER or answer.named or place is None:
            return answer
        return replace(answer, named=self._choices(answer.picture, place))

    def _gone(self, found: Sequence[Answer], source: str) -> list[Answer]:
        """Answers of a file that it does not give any more, withdrawn."""
        still = {(one.picture, one.by) for one in found}
        before = {(one.picture, one.by): one for one in self.answers.all() if one.source == source}
        return [replace(one, answer=WITHDRAWN, time="") for key, one in before.items() if key not in still and one.answer]

    def refresh(self) -> None:
        """Enter the answers that are new, also those of other processes, over the classes that the pool knows."""
        answers = self.answers.all()
        fresh = {one.picture for one in answers[self._read :] if one.picture in self._ids}
        for one in answers[self._read :]:
            self._by_picture[one.picture].append(one)
        self._read = len(answers)
        learns = fresh and self.settings.several == "dawid-skene"  # how people err, from all their answers
        changed = self._by_picture.keys() if learns else fresh
        counted = final_answers([one for picture in changed for one in self._by_picture[picture]], self.settings.several)
        for picture in changed:
            place, answer = self._ids[picture], counted.get(picture)
            truth = truth_of(answer, self.class_places) if answer else self._truth_of_pool(place)
            if truth:
                self.truths[place] = truth
            else:
                self.truths.pop(place, None)
        some = (one for own in self._by_picture.values() for one in own)
        error = error_of(self.settings.label_error, self.pool, some, self.folder)
        for evidence in self.evidence.values():
            evidence.error = error
            evidence.set_truths(self.truths, self.pool.predictions)
        self._ranking = self._rank() if len(self.names) > 2 else None

    def is_known_by_pool(self, place: int) -> bool:
        """Whether the class that the pool knows of a picture counts as a label."""
        return self._truth_of_pool(place) is not None

    @property
    def contradicted(self) -> list[int]:
        """The pictures, by their places, for which an answer counts that is not the class that the pool knows."""
        return [place for place, truth in self.truths.items() if self._truth_of_pool(place) not in (None, truth)]

    def _truth_of_pool(self, place: int) -> Truth | None:
        """What the pool knows of a picture."""
        known = self.uses_truth and self.pool.truth is not None and self.pool.truth[place] >= 0
        return Truth(int(self.pool.truth[place])) if known and self.pool.truth is not None else None

    @cached_property
    def class_places(self) -> dict[str, int]:
        """The places of classes by name and by taxonomy id."""
        ids = {label.id: i for i, label in enumerate(self.pool.classes) if label.id}
        return ids | {label.name: i for i, label in enumerate(self.pool.classes)}

    # what follows

    @property
    def main(self) -> Evidence:
        """The evidence of the first question on the first two classifiers."""
        return self.evidence[0, (0, 1)]

    @property
    def used(self) -> int:
        """The number of labels that count for some question and pair."""
        return len({place for own in self.evidence.values() for place in own.places[: own.used].tolist()})

    @property
    def waiting(self) -> int:
        """The number of labels that came out of order: they bound differences, and are no part of the sample yet."""
        return len(self.truths) - self.used

    @property
    def interval(self) -> Estimate:
        """The difference of the first score on the pool, second classifier minus first, with its interval."""
        return self.main.difference()

    @property
    def decision(self) -> Decision:
        """What the first question decides about the second classifier against the first."""
        return self.decide(0, (0, 1))

    @property
    def flips(self) -> Flips:
        """How often the second classifier is worse than the first, and better, as shares of the pool."""
        return self.main.flips()

    @property
    def margin(self) -> float:
        """The margin as a difference of scores in [0, 1]."""
        return self.settings.margin / self.questions[0].score.scale

    def decide(self, number: int, pair: Pair) -> Decision:
        """What a question decides about a pair; only the first one has a margin."""
        return Decision(*self.evidence[number, pair].interval(), self.margin if number == 0 else 0.0)

    @property
    def ranking(self) -> Ranking:
        """Which of three classifiers or more may be the best, and their ranks.

        Raises:
            SpecError: there are only two.
        """
        if self._ranking is None:
            raise SpecError("A ranking is of three classifiers or more; of two, decision says which is better.")
        return self._ranking

    def _rank(self) -> Ranking:
        evidence = {pair: self.evidence[0, pair] for pair in self.pairs}
        estimates = estimates_by_vote(evidence, self.pool.predictions, len(self.pool.classes))
        intervals = {pair: own.interval() for pair, own in evidence.items()}
        return Ranking.of(len(self.names), estimates, intervals, self.margin)

    @property
    def state(self) -> State:
        """Whether the claim holds, fails or is undecided; with more than two classifiers, it holds once the best is known."""
        if self._ranking is not None:
            return "holds" if self._ranking.is_decided else "undecided"
        return self.decision.state(self.settings.claim)

    # what to label next

    @property
    def _open(self) -> list[Key]:
        """Which questions and pairs still need labels."""
        if self.settings.budget is not None:
            return [key for key, own in self.evidence.items() if own.is_early] if self.state == "undecided" else []
        if self._ranking is not None:
            return [(0, pair) for pair in self._ranking.open_pairs]
        claims = [self.settings.claim, *[WITHOUT_MARGIN] * len(self.questions)]
        return [
            (number, (0, 1))
            for number, claim in zip(range(len(self.questions)), claims, strict=False)
            if self.decide(number, (0, 1)).state(claim) == "undecided" and not self.evidence[number, (0, 1)].is_complete
        ]

    def open_places(self) -> np.ndarray:
        """The places of all pictures that may still need a label, in order."""
        wanted = np.zeros(len(self.pool), dtype=bool)
        for key in self._open:
            wanted[self.evidence[key].places[: self.evidence[key].budget]] = True
        wanted[list(self.truths)] = False
        return np.asarray(self.disputed[wanted[self.disputed]])

    @property
    def left(self) -> int:
        """How many pictures may still need a label."""
        return len(self.open_places())

    def next(self, count: int | None = None) -> list[Item]:
        """The pictures to label next, in order; empty once all questions are decided.

        Args:
            count: how many at most; by default all that are left.
        """
        return self.items_at(self.open_places()[:count])

    def items_at(self, places: np.ndarray) -> list[Item]:
        """The pictures at some places as questions."""
        ids = zip(self.ids_at(places), places.tolist(), strict=True)
        return [Item(text, place, self._choices(text, place)) for text, place in ids]

    def _choices(self, text: str, place: int) -> tuple[str, ...]:
        """The classes that classifiers name, each once; in an order that the id decides."""
        tops = dict.fromkeys(int(own.top[place, 0]) for own in self.pool.predictions)
        names = [self.pool.classes[top].name for top in tops if top >= 0]
        if len(names) == 2:
            return tuple(names if is_first(text, self.settings.seed) else reversed(names))
        keys = priorities([f"{text} {name}" for name in names], self.settings.seed)
        return tuple(names[i] for i in np.argsort(keys))

    @property
    def forecast(self) -> Forecast:
        """About how many more labels are needed, the hardest question and pair deciding."""
        queue = self.open_places()
        if not len(queue) or self.settings.budget is not None:
            return Forecast(len(queue), len(queue), len(queue), len(queue))
        return max((self._forecast_of(key, queue) for key in self._open), key=lambda own: own.labels)

    def _forecast_of(self, key: Key, queue: np.ndarray) -> Forecast:
        """That of one question and pair, in labels of the queue, which has pictures for others in between."""
        evidence, used = self.evidence[key], self.evidence[key].used
        values = (evidence.low[:used] + evidence.high[:used]) / 2
        miss = evidence.miss / 2 if evidence.error else evidence.miss
        ahead = forecast(values, evidence.disputed, self._totals_of(key), miss, self.settings.seed)
        own = np.flatnonzero(np.isin(queue, evidence.places))
        labels = [int(own[min(count, len(own)) - 1]) + 1 if count else 0 for count in (ahead.labels, ahead.low, ahead.high)]
        return Forecast(labels[0], labels[1], labels[2], len(queue))

    def _totals_of(self, key: Key) -> list[float]:
        evidence = self.evidence[key]
        is_main = key == (0, (0, 1)) and len(self.names) == 2
        claim, margin = (self.settings.claim, self.margin) if is_main else (WITHOUT_MARGIN, 0.0)
        totals = [(evidence.disputed + difference * evidence.size) / 2 for difference in thresholds(claim, margin)]
        return evidence.beyond_errors(totals)

    @cached_property
    def expected(self) -> list[tuple[float, int]]:
        """Before the first label: how many labels are needed if 4 of 5, 2 of 3 or 3 of 5 disputed pictures go to one side."""
        return expected_by_split(self.main.disputed, self._totals_of((0, (0, 1))), self.main.miss, self.settings.seed)
