"""Who is asked what next: all in memory, as it follows from the responses that are stored.

Questions are handed out in the order of the queue, so that the answers form a prefix of it. A picture that was handed to a person
goes to another one as well once that person has been silent for some minutes.
"""

import math
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import cached_property

from gevaldi.errors import SpecError
from gevaldi.labelling.queues import Queue, Status, hash_fraction
from gevaldi.labelling.store import COUNTED
from gevaldi.verdicts.responses import Response

GAP = 10  # tasks between the first and the second time of a picture, at least

TaskKey = tuple[str, int]
"""A picture and the occasion on which it is asked."""


@dataclass(frozen=True)
class Options:
    """How people are asked.

    Attributes:
        each: people per picture.
        overlap: the share of pictures that a second person answers, if each is 1 and there are two or more.
        repeats: the share of pictures that the same person is asked twice.
        lease: seconds of silence after which a person's questions go to others, too.
        shows_interval: whether those who answer see the interval of the verdict.
    """

    each: int = 1
    overlap: float = 0.15
    repeats: float = 0.05
    lease: float = 600.0
    shows_interval: bool = False

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            SpecError: a number is out of range.
        """
        if self.each < 1 or self.lease <= 0 or not (0 <= self.overlap <= 1 and 0 <= self.repeats <= 1):
            raise SpecError(f"{self} was given; each is 1 or more, the lease is positive, and shares are between 0 and 1.")


@dataclass
class Person:
    """What is known of a person.

    Attributes:
        name, token: the name, and what opens the person's page.
        tasks: what each task of the person asks.
        done: the responses that count, in order.
        open: what the person has been asked and has not answered, in order.
        undone: of these, what the person took back.
        again: pictures to be asked once more, with how many tasks were done when they were first answered.
        first: the place in the queue before which the person has nothing to do.
        seen: when the person last asked for something, on the monotonic clock.
    """

    name: str
    token: str
    tasks: dict[str, TaskKey]
    done: dict[TaskKey, Response] = field(default_factory=dict)
    open: list[TaskKey] = field(default_factory=list)
    undone: set[TaskKey] = field(default_factory=set)
    again: dict[str, int] = field(default_factory=dict)
    first: int = 0
    seen: float = -math.inf


class Assignment:
    """Hands questions to people; safe to call from several threads.

    Attributes:
        items: all questions and controls, by the ids of their pictures.
        repeated: pictures that the same person is asked twice, by hash.
        people: by name, also those who no longer take part.
        active: the names of those who take part.
        status: what the answers decided when that was last computed.
        outstanding: how many pictures with an answer needed another person's then.
    """

    def __init__(self, queue: Queue, options: Options) -> None:
        self._queue, self._options = queue, options
        self.items = {item.id: item for item in queue.items} | {own.item.id: own.item for own in queue.controls.values()}
        self.places = {item.id: place for place, item in enumerate(queue.items)}
        self.repeated = self._hash_sample("repeat", options.repeats)
        self._shared = self._hash_sample("overlap", options.overlap)
        self.people: dict[str, Person] = {}
        self.active: frozenset[str] = frozenset()
        self.status = Status(frozenset(), 0, False)
        self.lock = threading.RLock()
        self._answered: defaultdict[str, frozenset[str]] = defaultdict(frozenset)  # who answered a picture
        self._withdrawals = 0
        self._done = 0  # tasks of this queue, of any kind
        self.outstanding = 0

    def _hash_sample(self, what: str, part: float) -> frozenset[str]:
        """About such a part of the pictures, by hash."""
        return frozenset(item.id for item in self._queue.items if hash_fraction(f"{what} of {item.id}", self._queue.seed) < part)

    def decide(self) -> bool:
        """Compute the status again; returns False if an answer was taken back meanwhile, which it may count."""
        with self.lock:
            withdrawals = self._withdrawals
            answered = frozenset(text for text, who in self._answered.items() if who)
        status = self._queue.status(answered)
        with self.lock:
            if withdrawals != self._withdrawals:
                return False
            if not status.open <= self.status.open:
                self._look_again()
            self.status = status
            waiting = ((len(self._answered[text]), self._wanted(text)) for text in answered if text in self.places)
            self.outstanding = sum(count < wanted for count, wanted in waiting)
        return True

    @property
    def finished(self) -> bool:
        """Whether nobody is asked anything any more."""
        return self.status.finished and not self.outstanding

    @property
    def left(self) -> int:
        """How many tasks can still come to all people at most. It depends on how many were done, not on their answers and kinds."""
        return 0 if self.finished else max(1, self._total - self._done)

    @cached_property
    def _total(self) -> int:
        repeated, controls = self.repeated, self._queue.controls
        return sum((1 + (text in controls) + (text in repeated)) * self._wanted(text) for text in self.places)

    def _look_again(self) -> None:
        for person in self.people.values():
            person.first = 0

    def next(self, person: Person, count: int) -> list[TaskKey]:
        """What a person is asked next; what waits for an answer comes first."""
        with self.lock:
            person.seen = time.monotonic()
            person.open = [one for one in person.open if one in person.undone or self._is_due(one, person)]
            while len(person.open) < count and (asked := self._next(person)):
                person.open.append(asked)
            return person.open[:count]

    def _is_due(self, asked: TaskKey, person: Person) -> bool:
        is_first = asked[1] == 1 and asked[0] in self.places
        return not self.finished and (not is_first or self._needs(asked[0], person))

    def _next(self, person: Person) -> TaskKey | None:
        """What to ask a person next: a picture for the second time, a control, or the next picture that needs this person."""
        if self.finished:
            return None
        if again := self._repeat(person):
            return again
        items = self._queue.items
        while person.first < len(items) and not self._may_need(items[person.first].id, person):
            person.first += 1
        for place in range(person.first, len(items)):
            text = items[place].id
            if (text, 1) not in person.open and self._needs(text, person):
                control = self._queue.controls.get(text)
                return (control.item.id, 1) if control and self._is_new((control.item.id, 1), person) else (text, 1)
        return None

    def _is_new(self, asked: TaskKey, person: Person) -> bool:
        return asked not in person.done and asked not in person.open

    def _repeat(self, person: Person) -> TaskKey | None:
        last = len(person.done) + len(person.open) - GAP
        return next(((text, 2) for text, number in person.again.items() if number <= last and (text, 2) not in person.open), None)

    def _wanted(self, text: str) -> int:
        """How many people answer a picture."""
        return min(len(self.active), max(self._options.each, 2 if text in self._shared else 1))

    def _may_need(self, text: str, person: Person) -> bool:
        """Whether a picture needs an answer of this person, unless others are about to give theirs."""
        who = self._answered.get(text, frozenset())
        return person.name not in who and len(who) < self._wanted(text) and (bool(who) or text in self.status.open)

    def _needs(self, text: str, person: Person) -> bool:
        if not self._may_need(text, person):
            return False
        now = time.monotonic()
        busy = {
            own.name
            for own in self.people.values()
            if own is not person and (text, 1) in own.open and now - own.seen < self._options.lease
        }
        return len(self._answered.get(text, frozenset()) | busy) < self._wanted(text)

    def kind(self, asked: TaskKey) -> str:
        """Question, overlap, control or repeat."""
        text, occasion = asked
        if text not in self.places:
            return "control"
        return "repeat" if occasion > 1 else "overlap" if self._wanted(text) > 1 else "question"

    def enter(self, response: Response) -> None:
        """Take note of a response that is on disk."""
        asked = response.picture, response.occasion
        with self.lock:
            person = self.people[response.person]
            person.done[asked] = response
            self._done += response.picture in self.items
            person.again.pop(response.picture, None)
            if response.occasion == 1 and response.picture in self.repeated:
                person.again[response.picture] = len(person.done)
            person.open = [one for one in person.open if one != asked]
            person.undone.discard(asked)
            if response.occasion == 1:
                self._answered[response.picture] |= {response.person}

    def leave(self, response: Response) -> None:
        """Take note that a response was withdrawn."""
        asked = response.picture, response.occasion
        with self.lock:
            person = self.people[response.person]
            person.done.pop(asked, None)
            self._done -= response.picture in self.items
            person.again.pop(response.picture, None)
            person.open.insert(0, asked)
            person.undone.add(asked)
            self._withdrawals += 1
            self._look_again()
            if response.occasion == 1:
                self._answered[response.picture] -= {response.person}
                if not self._answered[response.picture] and response.kind in COUNTED:
                    self.status = replace(self.status, open=self.status.open | {response.picture}, finished=False)
