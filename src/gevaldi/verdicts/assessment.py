"""What labels of a pool decide about some classifiers, and which pictures to label next."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path

import numpy as np

from gevaldi.errors import DataError
from gevaldi.predictions.base import Pool
from gevaldi.statistics.intervals import Estimate
from gevaldi.verdicts.answers import CANNOT_TELL, NEITHER, WITHDRAWN, Answer, Answers
from gevaldi.verdicts.decisions import Claim, Decision, State, thresholds
from gevaldi.verdicts.evidence import OTHER, UNKNOWN, Evidence, Flips
from gevaldi.verdicts.forecast import Forecast, expected_by_split, forecast
from gevaldi.verdicts.guess import Guess
from gevaldi.verdicts.order import is_first, priorities
from gevaldi.verdicts.questions import Question
from gevaldi.verdicts.ranking import Ranking, estimates_by_vote
from gevaldi.verdicts.read import read_answers, refuse_two_answers
from gevaldi.verdicts.scores import place_of

Pair = tuple[int, int]


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
    """Which of some classifiers to deploy, by labels of the pictures of a pool on which they differ.

    All intervals hold with the given confidence however often they are looked at, and together for all pairs and questions.

    Attributes:
        pool: the pictures, and what all classifiers say of them.
        questions: how answers are scored, on which pictures; the first one decides.
        margin: the largest difference that does not matter, in the unit of the first score.
        claim: what has to be decided.
        confidence: of all intervals together.
        seed: of the order of the pictures.
        budget: the number of labels, if it was fixed beforehand.
        answers: what people said.
        evidence: for each question and pair of classifiers.
        notes: what was left out of labels that were added.
        guess: what a generator says; None if none was asked.
        uses_truth: whether the classes that the pool knows count as labels.
        folder: of its files; None if there is none.
    """

    def __init__(
        self,
        pool: Pool,
        questions: Sequence[Question],
        *,
        margin: float = 0.0,
        claim: Claim = "better-or-worse",
        confidence: float = 0.95,
        seed: int = 0,
        budget: int | None = None,
        answers: Answers | None = None,
        use_truth: bool = True,
        folder: "Path | None" = None,
    ) -> None:
        self.pool, self.questions, self.margin, self.claim = pool, tuple(questions), margin, claim
        self.confidence, self.seed, self.budget, self.folder = confidence, seed, budget, folder
        self.answers = answers or Answers()
        self.notes: list[str] = list(pool.notes)
        self.guess: Guess | None = None
        self.uses_truth = use_truth and pool.truth is not None
        self.evidence = self._begun()
        self._refresh()

    @property
    def names(self) -> list[str]:
        """The classifiers."""
        return [own.name for own in self.pool.predictions]

    @property
    def pairs(self) -> list[Pair]:
        """All pairs of classifiers, by their places, the older one first."""
        return list(combinations(range(len(self.pool.predictions)), 2))

    @cached_property
    def disputed(self) -> np.ndarray:
        """The places of all pictures that a label may be asked for, in the order of labelling."""
        asked = np.zeros(len(self.pool), dtype=bool)
        for question in self.questions:
            for i, j in self.pairs:
                asked |= question.disputed(self.pool, i, j)
        places = np.flatnonzero(asked)
        return places[np.argsort(priorities(self.ids_at(places), self.seed), kind="stable")]

    def ids_at(self, places: Sequence[int] | np.ndarray) -> list[str]:
        """The ids of pictures at some places."""
        return list(self.pool.ids.take(np.asarray(places, dtype=np.int64)).to_pylist())

    def _begun(self) -> dict[tuple[int, Pair], Evidence]:
        miss = (1 - self.confidence) / (len(self.questions) * len(self.pairs))
        evidence = {}
        for number, question in enumerate(self.questions):
            for pair in self.pairs:
                own = question.disputed(self.pool, *pair)[self.disputed]
                budget = None if self.budget is None else int(own[: self.budget].sum())
                evidence[number, pair] = Evidence(*pair, question.score, question.size(self.pool), self.disputed[own], miss, budget)
        return evidence

    def _refresh(self) -> None:
        """Enter all answers, over the truth that the pool knows."""
        truths: dict[int, int] = {}
        if self.uses_truth:
            assert self.pool.truth is not None
            known = self.disputed[self.pool.truth[self.disputed] >= 0]
            truths = dict(zip(known.tolist(), self.pool.truth[known].tolist(), strict=True))
        places = self._places
        for picture, answer in self.answers.by_picture().items():
            if picture in places:
                truths[places[picture]] = self._truth_of(answer)
        self.truths = truths
        for evidence in self.evidence.values():
            evidence.set_truths(truths, tuple(self.pool.predictions))

    @cached_property
    def _places(self) -> dict[str, int]:
        return dict(zip(self.ids_at(self.disputed), self.disputed.tolist(), strict=True))

    def _truth_of(self, answer: str) -> int:
        if answer in (NEITHER, CANNOT_TELL):
            return OTHER if answer == NEITHER else UNKNOWN
        return place_of(answer, self.pool.classes)

    def add(self, labels: Mapping[str, str] | Iterable[Answer] | str | Path, person: str = "") -> int:
        """Store labels and decide again.

        Args:
            labels: classes by picture id, with "neither" and "cannot tell"; or a file or folder that `read_answers` reads.
            person: who gave them, if they do not say so themselves.

        Returns:
            How many answers were new.

        Raises:
            DataError: the file cannot be read, a picture has two answers, or no label belongs to a picture of the pool.
            UnknownName: a class is none of the classifiers' classes.
        """
        if isinstance(labels, str | Path):
            source, given = str(labels), read_answers(labels)
        else:
            rows = [Answer(picture, str(answer)) for picture, answer in labels.items()] if isinstance(labels, Mapping) else labels
            source, given = "Python", refuse_two_answers(list(rows), "The mapping")
        wanted = self._of_the_pool(given, source)
        for one in wanted:
            if one.answer != WITHDRAWN:
                self._checked(one)
        count = self.answers.add(
            Answer(one.picture, one.answer, one.person or person, one.time, one.source or source) for one in wanted
        )
        self._refresh()
        return count

    def _checked(self, answer: Answer) -> None:
        try:
            self._truth_of(answer.answer)
        except Exception as error:
            raise DataError(
                f"{answer.source or 'A label'} says that {answer.picture} shows {answer.answer!r}, which no classifier knows. "
                f"{error} Write {NEITHER!r} if it shows another class, and {CANNOT_TELL!r} if that is unclear. Nothing was taken."
            ) from None

    def _of_the_pool(self, answers: Sequence[Answer], source: str) -> list[Answer]:
        """Answers about disputed pictures, under the pool's ids; notes how many others there are."""
        known = self._known_ids([one.picture for one in answers])
        unknown = [one.picture for one in answers if one.picture not in known]
        if answers and len(unknown) == len(answers):
            raise DataError(
                f"None of the {len(answers):,} labels in {source} is of a picture in the pool {self.pool.name}: they are of "
                f"pictures such as {unknown[0]!r}, and the pool has pictures such as {self.pool.ids[0].as_py()!r}."
            )
        places = self._places
        wanted = [
            Answer(known[one.picture], one.answer, one.person, one.time, one.source)
            for one in answers
            if known.get(one.picture) in places
        ]
        agreed = len(answers) - len(unknown) - len(wanted)
        if unknown:
            self.notes.append(
                f"{len(unknown):,} labels in {source} are of pictures that are not in the pool, such as {unknown[0]!r}; they are "
                "not used."
            )
        if agreed:
            self.notes.append(f"{agreed:,} labels in {source} are of pictures that need none: the classifiers agree on them.")
        return wanted

    def _known_ids(self, pictures: Sequence[str]) -> dict[str, str]:
        """The pool's ids of pictures, by id or, if only one picture has it, by file name."""
        import pyarrow as pa
        import pyarrow.compute as pc

        def found_in(texts: Sequence[str]) -> list[bool]:
            return list(pc.is_in(pa.array(texts, pa.string()), value_set=self.pool.ids.cast(pa.string())).to_pylist())

        known = {text: text for text, there in zip(pictures, found_in(pictures), strict=True) if there}
        missing = [text for text in pictures if text not in known]
        if missing:
            by_name: dict[str, set[str]] = {}
            for own in self._places:
                by_name.setdefault(own.rpartition("/")[2], set()).add(own)
            for text in missing:
                owners = by_name.get(text.rpartition("/")[2], set())
                if len(owners) == 1:
                    known[text] = next(iter(owners))
        return known

    # what it says

    @property
    def only(self) -> Evidence:
        """The evidence of the first question on the first two classifiers."""
        return self.evidence[0, (0, 1)]

    @property
    def used(self) -> int:
        """The number of labels that count for some question and pair."""
        return len({place for own in self.evidence.values() for place in own.places[: own.used].tolist()})

    @property
    def waiting(self) -> int:
        """The number of labels that came out of order, and count for nothing yet."""
        return len(self.truths) - self.used

    @property
    def interval(self) -> Estimate:
        """The difference of the first score on the pool, second classifier minus first, with its interval."""
        return self.only.difference()

    @property
    def decision(self) -> Decision:
        """What the first question decides about the second classifier against the first."""
        return self.decide(0, (0, 1))

    @property
    def flips(self) -> Flips:
        """How often the second classifier is worse than the first, and better, as shares of the pool."""
        return self.only.flips()

    def share_of_margin(self, number: int = 0) -> float:
        """The margin as a difference of scores in [0, 1]."""
        return self.margin / self.questions[0].score.scale if number == 0 else 0.0

    def decide(self, number: int, pair: Pair) -> Decision:
        """What a question decides about a pair."""
        return Decision(*self.evidence[number, pair].interval(), self.share_of_margin(number))

    @property
    def ranking(self) -> Ranking:
        """Which classifiers may be the best by the first question, and their ranks."""
        evidence = {pair: self.evidence[0, pair] for pair in self.pairs}
        estimates = estimates_by_vote(evidence, self.pool.predictions, len(self.pool.classes))
        intervals = {pair: own.interval() for pair, own in evidence.items()}
        return Ranking.of(len(self.names), estimates, intervals, self.share_of_margin())

    @property
    def state(self) -> State:
        """Whether the claim holds, fails or is undecided; with more than two classifiers, it holds once the best is known."""
        if len(self.names) > 2:
            return "holds" if self.ranking.is_decided else "undecided"
        return self.decision.state(self.claim)

    @property
    def _needed(self) -> list[tuple[int, Pair]]:
        """Which questions and pairs still need labels."""
        if self.budget is not None:
            return [key for key, evidence in self.evidence.items() if evidence.is_early]
        if len(self.names) > 2:
            return [(0, pair) for pair in self.ranking.open_pairs] if self.state == "undecided" else []
        others: list[Claim] = ["better-or-worse"] * (len(self.questions) - 1)
        return [
            (number, (0, 1))
            for number, claim in enumerate([self.claim, *others])
            if self.decide(number, (0, 1)).state(claim) == "undecided"
            and self.evidence[number, (0, 1)].used < self._places_of(number)
        ]

    def _places_of(self, number: int) -> int:
        return self.evidence[number, (0, 1)].disputed

    def next(self, count: int | None = None) -> list[Item]:
        """The pictures to label next, in order; empty once the claim is decided.

        Args:
            count: how many at most; by default all that are left.
        """
        wanted = np.zeros(len(self.pool), dtype=bool)
        for key in self._needed:
            wanted[self.evidence[key].places[: self.evidence[key].budget]] = True
        open_ = [place for place in self.disputed.tolist() if wanted[place] and place not in self.truths][:count]
        return [Item(text, place, self._choices(text, place)) for text, place in zip(self.ids_at(open_), open_, strict=True)]

    def _choices(self, text: str, place: int) -> tuple[str, ...]:
        """The classes that classifiers name, each once; in an order that the id decides."""
        tops = dict.fromkeys(int(own.top[place, 0]) for own in self.pool.predictions)
        names = [self.pool.classes[top].name for top in tops if top >= 0]
        if len(names) == 2:
            return tuple(names if is_first(text, self.seed) else reversed(names))
        keys = priorities([f"{text} {name}" for name in names], self.seed)
        return tuple(names[i] for i in np.argsort(keys))

    @property
    def forecast(self) -> Forecast:
        """About how many more labels the claim needs, the hardest pair deciding."""
        needed = [key for key in self._needed if key[0] == 0]
        if not needed:
            return Forecast(0, 0, 0, 0)
        if self.budget is not None:
            left = len(self.next())
            return Forecast(left, left, left, left)
        return max((self._forecast_of(key) for key in needed), key=lambda own: own.labels)

    def _forecast_of(self, key: tuple[int, Pair]) -> Forecast:
        evidence, used = self.evidence[key], self.evidence[key].used
        values = (evidence.low[:used] + evidence.high[:used]) / 2
        return forecast(values, evidence.disputed, self._totals_of(evidence), evidence.miss, self.seed)

    def _totals_of(self, evidence: Evidence) -> list[float]:
        claim: Claim = self.claim if len(self.names) == 2 else "better-or-worse"
        return [(evidence.disputed + difference * evidence.size) / 2 for difference in thresholds(claim, self.share_of_margin())]

    @property
    def expected(self) -> list[tuple[float, int]]:
        """Before the first label: how many labels are needed if 4 of 5, 2 of 3 or 3 of 5 disputed pictures go to one side."""
        return expected_by_split(self.only.disputed, self._totals_of(self.only), self.only.miss, self.seed)
