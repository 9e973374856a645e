"""What people answered to each task, controls and repeats among them, as statistics of several people read it."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["question", "control", "repeat", "overlap"]


@dataclass(frozen=True)
class Response:
    """What a person said of a picture.

    Attributes:
        person: who answered.
        picture: the id of the picture.
        kind: question; control, whose answer is known; repeat, the same picture once more for the same person; or overlap, a picture
            that other people answer as well.
        occasion: 1 for the first time this person saw the picture, 2 for the second.
        answer: the name of a class, `verdicts.answers.NEITHER` or `CANNOT_TELL`.
        real: whether a drawn picture could be a real one: yes, unsure or no; empty if that was not asked.
        choices: the classes that were offered, in their order on the page.
        time: when the answer was stored, in UTC (ISO 8601).
        shown_ms: how long the picture had been shown, in milliseconds; 0 if unknown.
        known: the right answer to a control; empty for all other kinds.
    """

    person: str
    picture: str
    kind: Kind
    occasion: int
    answer: str
    real: str = ""
    choices: tuple[str, ...] = ()
    time: str = ""
    shown_ms: int = 0
    known: str = ""
