"""Who answered what, whether people agree with each other and with themselves, and which pictures they should discuss."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from gevaldi.predictions.base import Pool
from gevaldi.statistics.agreement import alpha_with_interval, counts_of
from gevaldi.statistics.intervals import Estimate, share
from gevaldi.statistics.words import FEW, with_interval
from gevaldi.verdicts.answers import CANNOT_TELL, Answer, first_answers, last_answers
from gevaldi.verdicts.final import WORDS, Rule, dawid_skene_of, final_answers
from gevaldi.verdicts.label_error import MEASURED, Check, LabelError
from gevaldi.verdicts.responses import Response, read_responses

ENOUGH = 30
"""Pictures that somebody else answered as well, from which the model of Dawid and Skene is shown: of fewer, it knows little."""


@dataclass(frozen=True)
class Person:
    """One who answers.

    Attributes:
        name: of the person, or the file if nobody is named.
        answered: the number of pictures answered, without controls and repeats.
        cannot_tell: how many of these the person could not tell.
        last: when the last answer came, in UTC (ISO 8601); empty if unknown.
        seconds: the median time per answer; None if unknown.
        missed: the number of controls that were answered otherwise than is known.
        controls: the share of controls that were missed.
        same: the number of pictures seen twice and answered alike.
        repeats: the share of these among pictures seen twice.
        shared: the number of pictures for which somebody else named a class, too.
        accuracy: the probability that an answer is right, by the model of Dawid and Skene; None if fewer than `ENOUGH` are shared.
    """

    name: str
    answered: int
    cannot_tell: int
    last: str
    seconds: float | None
    missed: int
    controls: Estimate
    same: int
    repeats: Estimate
    shared: int
    accuracy: float | None


@dataclass(frozen=True)
class Discussion:
    """A picture on which people differ.

    Attributes:
        picture: its id.
        answers: by person.
        majority: the class that most gave; "cannot tell" after a tie.
        dawid_skene: the most probable class by the model of Dawid and Skene.
        certainty: its probability.
        final: the answer that counts, by the rule.
    """

    picture: str
    answers: Mapping[str, str]
    majority: str
    dawid_skene: str
    certainty: float
    final: str


@dataclass(frozen=True)
class Overview:
    """Several people who label.

    Attributes:
        people: each of them.
        alpha: Krippendorff's; its count is the number of pictures with two answers that name a class or "neither".
        differ: the share of pictures on which people differ, of those.
        discuss: pictures on which they differ, those first whose class is least certain.
        rule: by which several answers become one.
        settled: for how many pictures the plain majority gives a class.
        otherwise: on how many of these the model of Dawid and Skene gives another one.
    """

    people: tuple[Person, ...]
    alpha: Estimate
    differ: Estimate
    discuss: tuple[Discussion, ...]
    rule: Rule
    settled: int
    otherwise: int

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to compare: at most one person, no control, no picture seen twice."""
        return len(self.people) < 2 and not any(one.controls.count or one.repeats.count for one in self.people)

    @property
    def knows_people(self) -> bool:
        """Whether enough pictures have two answers for the model of Dawid and Skene to say how people err."""
        return self.differ.count >= ENOUGH

    @property
    def sentences(self) -> list[str]:
        """How well people agree, and which answer counts."""
        if len(self.people) < 2:
            return []
        answers = sum(one.answered for one in self.people)
        found = [f"{len(self.people)} people gave {answers:,} answers."]
        if self.differ.count:
            found.append(
                f"Two or more answered {self.differ.count:,} of the pictures, and they differ on {with_interval(self.differ)}."
            )
        if self.alpha.value == self.alpha.value:
            found.append(
                f"Krippendorff's alpha is {self.alpha.value:.2f} ({_interval(self.alpha)}): 1 if all agree, 0 if they agree as "
                "often as by chance."
            )
        if self.differ.count:
            model = (
                f"The estimate of Dawid and Skene, which weighs people by how they err, differs on {self.otherwise:,} of them."
                if self.knows_people
                else f"How people err is not estimated: too few answers in common ({self.differ.count:,} of {ENOUGH} pictures)."
            )
            found.append(f"The plain majority settles {self.settled:,} pictures. {model}")
        return [*found, WORDS[self.rule]]


def _interval(alpha: Estimate) -> str:
    """The interval of alpha; resamples of pictures on which all agree say nothing of others."""
    if alpha.count < FEW:
        return "too few for an interval"
    if alpha.low == alpha.high:
        return "no interval while nobody differs"
    return f"95 % interval {alpha.low:.2f} to {alpha.high:.2f}"


def overview(responses: Sequence[Response], known: Mapping[str, str], rule: Rule = "unanimous") -> Overview:
    """Compare people.

    Args:
        responses: all that count, in the order in which they came.
        known: the class of each control.
        rule: by which several answers to a picture become one.
    """
    first = [one for one in responses if one.kind != "control" and one.occasion == 1]
    answers = [Answer(one.picture, one.answer, one.person, named=one.choices) for one in first]
    model = dawid_skene_of(answers)
    accuracy = dict(zip(model.people, model.accuracy.tolist(), strict=True)) if model else {}
    by_person: defaultdict[str, list[Response]] = defaultdict(list)
    for one in responses:
        by_person[one.person].append(one)
    named = [one for one in first if one.answer != CANNOT_TELL]
    counts = counts_of([(one.picture, one.answer) for one in named])
    raters = Counter(one.picture for one in named)
    shared = Counter(one.person for one in named if raters[one.picture] > 1)
    rated = counts[counts.sum(1) > 1]
    majority = final_answers(answers, "majority")
    best = model.best() if model else {}
    settled = [picture for picture, one in majority.items() if one.answer != CANNOT_TELL]
    return Overview(
        tuple(_person(name, own, known, shared[name], accuracy.get(name)) for name, own in by_person.items()),
        alpha_with_interval(counts),
        share(int(((rated > 0).sum(1) > 1).sum()), len(rated)),
        _discussions(answers, majority, best, final_answers(answers, rule)),
        rule,
        len(settled),
        sum(best[picture][0] != majority[picture].answer for picture in settled),
    )


def _person(name: str, own: Sequence[Response], known: Mapping[str, str], shared: int, accuracy: float | None) -> Person:
    first = {one.picture: one.answer for one in own if one.occasion == 1 and one.kind != "control"}
    controls = [one.answer == known[one.picture] for one in own if one.kind == "control" and one.picture in known]
    repeats = [first[one.picture] == one.answer for one in own if one.occasion > 1 and one.picture in first]
    shown = [one.shown_ms / 1000 for one in own if one.shown_ms]
    return Person(
        name,
        answered=len(first),
        cannot_tell=sum(answer == CANNOT_TELL for answer in first.values()),
        last=max(one.time for one in own),
        seconds=median(shown) if shown else None,
        missed=len(controls) - sum(controls),
        controls=share(len(controls) - sum(controls), len(controls)),
        same=sum(repeats),
        repeats=share(sum(repeats), len(repeats)),
        shared=shared,
        accuracy=accuracy if shared >= ENOUGH else None,
    )


def _discussions(
    answers: Sequence[Answer],
    majority: Mapping[str, Answer],
    best: Mapping[str, tuple[str, float]],
    final: Mapping[str, Answer],
) -> tuple[Discussion, ...]:
    found = []
    for picture, some in last_answers(answers).items():
        by_person = {one.by: one.answer for one in some}
        if len({*by_person.values()} - {CANNOT_TELL}) > 1:
            found.append(Discussion(picture, by_person, majority[picture].answer, *best[picture], final[picture].answer))
    return tuple(sorted(found, key=lambda one: (one.certainty, one.picture)))


# of a verdict


def responses_of(answers: Sequence[Answer], folder: Path | None) -> list[Response]:
    """What people answered on the page, as they may have revised it elsewhere, and the answers that came otherwise.

    Raises:
        RunFolderError: the folder cannot be read.
    """
    found = read_responses(folder) if folder else []
    last = {(one.picture, one.by): one for some in last_answers(answers).values() for one in some}
    there = {(one.picture, one.person) for one in found}
    return [
        *(
            replace(one, answer=last[own].answer) if (own := (one.picture, one.person)) in last and one.occasion == 1 else one
            for one in found
        ),
        *(
            Response(one.by, one.picture, "question", 1, one.answer, choices=one.named, time=one.time)
            for own, one in last.items()
            if own not in there
        ),
    ]


def classes_of_controls(pool: Pool, responses: Iterable[Response]) -> dict[str, str]:
    """The class of each picture that was a control: that which all classifiers read, since only such pictures are chosen."""
    import pyarrow as pa
    import pyarrow.compute as pc

    pictures = list(dict.fromkeys(one.picture for one in responses if one.kind == "control"))
    places = pc.index_in(pa.array(pictures, pool.ids.type), value_set=pool.ids).to_pylist()
    tops = [np.asarray(own.top[:, 0]) for own in pool.predictions]
    return {
        picture: pool.classes[int(tops[0][place])].name
        for picture, place in zip(pictures, places, strict=True)
        if place is not None and tops[0][place] >= 0 and all(top[place] == tops[0][place] for top in tops)
    }


def error_of(claimed: float | str | None, pool: Pool, answers: Iterable[Answer], folder: Path | None) -> LabelError | None:
    """What is known of wrong labels, as it is claimed or measured; None if labels are never wrong."""
    if claimed == MEASURED:
        return measured_error(pool, answers, folder)
    return None if claimed is None else LabelError(float(claimed))


def measured_error(pool: Pool, answers: Iterable[Answer], folder: Path | None) -> LabelError:
    """How often labels are wrong at most, from pictures that two people answered and from controls.

    Of three people or more, the first two count, each with what they said before any discussion. Who cannot tell differs from one
    who can, and answers a control not wrongly. While one of several people is in no pair, nothing is known of that person's errors,
    and so nothing is measured.
    """
    by_picture = first_answers(answers)
    pairs = [some for some in by_picture.values() if len(some) > 1]
    people = {one.by for some in by_picture.values() for one in some}
    if len(people) > 1 and people - {one.by for some in pairs for one in some[:2]}:
        return LabelError()
    both = [(some[0].answer, some[1].answer) for some in pairs]
    responses = [one for one in (read_responses(folder) if folder else []) if one.kind == "control"]
    known = classes_of_controls(pool, responses)
    controls = [one.answer not in (known[one.picture], CANNOT_TELL) for one in responses if one.picture in known]
    return LabelError(None, Check(sum(a != b for a, b in both), len(both)), Check(sum(controls), len(controls)))
