"""The answer that counts for a picture which several people answered, by a rule that is stated."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, cast, get_args

from gevaldi.errors import UnknownName
from gevaldi.statistics.dawid_skene import DawidSkene, dawid_skene
from gevaldi.verdicts.answers import CANNOT_TELL, NEITHER, Answer, last_answers

Rule = Literal["unanimous", "majority", "dawid-skene"]
RULES: tuple[str, ...] = get_args(Rule)
WORDS: dict[Rule, str] = {
    "unanimous": "All who answered a picture must agree; otherwise its class is not known.",
    "majority": "The class that most people gave counts; after a tie the class is not known.",
    "dawid-skene": "The most probable class counts, by a model of how each person errs; after a tie the class is not known.",
}


def rule_of(text: str) -> Rule:
    """The rule that a user names.

    Raises:
        UnknownName: there is no such rule.
    """
    if text not in RULES:
        raise UnknownName("rule for several people", text, RULES)
    return cast(Rule, text)


def final_answers(answers: Sequence[Answer], rule: Rule = "unanimous") -> dict[str, Answer]:
    """The answer that counts for each picture; `CANNOT_TELL` where the rule settles none.

    Who cannot tell has no vote. "Neither" is an answer like a class: who says it of some classes agrees with who says it of others,
    and the picture shows none of all these.

    Args:
        answers: of the pictures in question; the model of Dawid and Skene learns from all of them how each person errs.
        rule: how several answers become one.
    """
    by_picture = last_answers(answers)
    if rule == "dawid-skene":
        model = dawid_skene_of(answers)
        chosen = {picture: answer for picture, (answer, _) in model.best().items() if picture not in model.ties} if model else {}
    else:
        choose = _unanimous if rule == "unanimous" else _majority
        chosen = {
            picture: choose([one.answer for one in some if one.answer != CANNOT_TELL]) for picture, some in by_picture.items()
        }
    return {picture: _with_named(picture, chosen.get(picture, CANNOT_TELL), some) for picture, some in by_picture.items()}


def _unanimous(votes: Sequence[str]) -> str:
    return votes[0] if len(set(votes)) == 1 else CANNOT_TELL


def _majority(votes: Sequence[str]) -> str:
    first = Counter(votes).most_common(2)
    return first[0][0] if first and (len(first) == 1 or first[0][1] > first[1][1]) else CANNOT_TELL


def dawid_skene_of(answers: Iterable[Answer]) -> DawidSkene | None:
    """The model of Dawid and Skene, fitted to the answers that name a class or "neither"; None if there is none."""
    votes = [
        (one.by, one.picture, one.answer) for some in last_answers(answers).values() for one in some if one.answer != CANNOT_TELL
    ]
    return dawid_skene(votes) if votes else None


def _with_named(picture: str, answer: str, some: Sequence[Answer]) -> Answer:
    named = dict.fromkeys(name for one in some if one.answer == NEITHER for name in one.named)
    return Answer(picture, answer, named=tuple(named) if answer == NEITHER else ())
