"""Who is asked what next, and what becomes of an answer. Knows nothing of HTTP.

Questions are handed out in the order of the queue, so that the answers form a prefix of it. A picture that was handed to a person
goes to another one as well once that person has been silent for some minutes.
"""

import hashlib
import hmac
import math
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gevaldi.errors import DataError, GevaldiError, SpecError
from gevaldi.labelling.overview import overview
from gevaldi.labelling.queues import Item, Queue, Status, share
from gevaldi.labelling.store import COUNTED, Store
from gevaldi.names import visible
from gevaldi.verdicts.answers import CANNOT_TELL, NEITHER
from gevaldi.verdicts.responses import Response

REAL = ("yes", "unsure", "no")
GAP = 10  # tasks between the first and the second time of a picture, at least
SECONDS = 6.0  # that an answer takes, before anybody has answered
LONGEST = 60  # characters of a name or a key
PAUSE = 0.2  # seconds between two looks at the verdict, at least

Asked = tuple[str, int]
"""A picture and the occasion on which it is asked."""


class UnknownTask(GevaldiError):
    """A task that this person was never given."""


class BadAnswer(DataError):
    """An answer that is none of those that were offered."""


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
    tasks: dict[str, Asked]
    done: dict[Asked, Response] = field(default_factory=dict)
    open: list[Asked] = field(default_factory=list)
    undone: set[Asked] = field(default_factory=set)
    again: dict[str, int] = field(default_factory=dict)
    first: int = 0
    seen: float = -math.inf


class Service:
    """The questions of a queue for some people, over a store."""

    def __init__(self, queue: Queue, store: Store, people: Sequence[str], options: Options = Options()) -> None:
        """Begin, or go on with what is stored.

        Raises:
            SpecError: a name cannot be one of a person.
            RunFolderError: the store cannot be read or written.
        """
        self.queue, self.store, self.options = queue, store, options
        self._secret = store.setting("secret").encode()
        self.owner = store.setting("owner")
        self._items = {item.id: item for item in queue.items} | {own.item.id: own.item for own in queue.controls.values()}
        self._places = {item.id: place for place, item in enumerate(queue.items)}
        self.answers_of_controls = {own.item.id: own.answer for own in queue.controls.values()}
        self._names = {visible(name): name for name in (*queue.classes, NEITHER, CANNOT_TELL)} | {
            name: name for name in queue.classes
        }
        self._repeated = self._drawn_by("repeat", options.repeats)
        self._shared = self._drawn_by("overlap", options.overlap)
        self._answered: defaultdict[str, frozenset[str]] = defaultdict(frozenset)  # who answered a picture
        self._withdrawals = 0
        self._lock = threading.RLock()
        for name in people:
            store.token(check_name(name))
        self.people = {name: Person(name, token, self._tasks(name)) for name, token in store.people().items()}
        for response in store.responses():
            self._enter(response)
        self._changed, self._stopped = threading.Event(), threading.Event()
        self._follower: threading.Thread | None = None
        self.points = list(queue.history())
        self.status = Status(frozenset(), 0, False)
        self._outstanding = 0  # pictures that need another person's answer
        self.refresh()

    def _drawn_by(self, what: str, part: float) -> frozenset[str]:
        """About such a part of the pictures, by hash."""
        return frozenset(item.id for item in self.queue.items if share(f"{what} of {item.id}", self.queue.seed) < part)

    # the verdict

    def refresh(self) -> Status:
        """Decide again, by all answers that are stored; returns what is open then."""
        with self._lock:
            withdrawals = self._withdrawals
            answered = frozenset(text for text, who in self._answered.items() if who)
        status = self.queue.status(answered)
        with self._lock:
            if withdrawals != self._withdrawals:  # it may count an answer that was taken back meanwhile
                self._changed.set()
                return self.status
            if not status.open <= self.status.open:
                self._look_again()
            self.status = status
            waiting = ((len(self._answered[text]), self._wanted(text)) for text in answered if text in self._places)
            self._outstanding = 0 if status.decided else sum(count < wanted for count, wanted in waiting)
        if status.point and status.point not in self.points[-1:]:
            self.points.append(status.point)
        return status

    @property
    def finished(self) -> bool:
        """Whether nobody is asked anything any more."""
        return self.status.finished and not self._outstanding

    def _look_again(self) -> None:
        for person in self.people.values():
            person.first = 0

    def start(self) -> None:
        """Decide again, in a thread, whenever answers have come, also from other processes."""
        self._follower = threading.Thread(target=self._follow, name="verdict", daemon=True)
        self._follower.start()

    def stop(self) -> None:
        """End that thread."""
        self._stopped.set()
        self._changed.set()
        if self._follower:
            self._follower.join()

    def _follow(self) -> None:
        while True:
            self._changed.wait(timeout=5)
            self._changed.clear()
            if self._stopped.is_set():
                return
            begin = time.monotonic()
            self.refresh()
            self._stopped.wait(max(PAUSE, 4 * (time.monotonic() - begin)))  # leaves the processor to those who answer

    # questions

    def next(self, person: Person, count: int = 1) -> list[dict[str, Any]]:
        """The next tasks of a person, as the browser sees them; those that wait for an answer come first."""
        found = self._tasks_of(person, count)
        if not found and not self.finished:
            self.refresh()  # the last answer may have decided, or another process may have added labels
            found = self._tasks_of(person, count)
        return found

    def _tasks_of(self, person: Person, count: int) -> list[dict[str, Any]]:
        with self._lock:
            person.seen = time.monotonic()
            person.open = [one for one in person.open if one in person.undone or self._is_due(one, person)]
            while len(person.open) < count and (asked := self._next(person)):
                person.open.append(asked)
            return [self._shown(person, asked) for asked in person.open[:count]]

    def _shown(self, person: Person, asked: Asked) -> dict[str, Any]:
        item, task = self._items[asked[0]], self._task(person.name, asked)
        return {
            "task": task,
            "picture": f"picture/{task}",
            "choices": [visible(name) for name in item.choices],
            "drawn": item.drawn,
        }

    def _is_due(self, asked: Asked, person: Person) -> bool:
        is_first = asked[1] == 1 and asked[0] in self._places
        return not self.finished and (not is_first or self._needs(asked[0], person))

    def _next(self, person: Person) -> Asked | None:
        """What to ask a person next: a picture for the second time, a control, or the next picture that needs this person."""
        if self.finished:
            return None
        if again := self._repeat(person):
            return again
        items = self.queue.items
        while person.first < len(items) and not self._may_need(items[person.first].id, person):
            person.first += 1
        for place in range(person.first, len(items)):
            text = items[place].id
            if (text, 1) not in person.open and self._needs(text, person):
                control = self.queue.controls.get(text)
                return (control.item.id, 1) if control and self._is_new((control.item.id, 1), person) else (text, 1)
        return None

    def _is_new(self, asked: Asked, person: Person) -> bool:
        return asked not in person.done and asked not in person.open

    def _repeat(self, person: Person) -> Asked | None:
        last = len(person.done) + len(person.open) - GAP
        return next(((text, 2) for text, number in person.again.items() if number <= last and (text, 2) not in person.open), None)

    def _wanted(self, text: str) -> int:
        """How many people answer a picture."""
        return min(len(self.people), max(self.options.each, 2 if text in self._shared else 1))

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
            if own is not person and (text, 1) in own.open and now - own.seen < self.options.lease
        }
        return len(self._answered.get(text, frozenset()) | busy) < self._wanted(text)

    def _kind(self, asked: Asked) -> str:
        text, occasion = asked
        if text not in self._places:
            return "control"
        return "repeat" if occasion > 1 else "overlap" if self._wanted(text) > 1 else "question"

    def _task(self, person: str, asked: Asked) -> str:
        return hmac.digest(self._secret, f"{person}|{asked[0]}|{asked[1]}".encode(errors="surrogatepass"), hashlib.sha256).hex()[
            :20
        ]

    def _tasks(self, person: str) -> dict[str, Asked]:
        asked = [*((text, 1) for text in self._items), *((text, 2) for text in self._repeated)]
        return {self._task(person, one): one for one in asked}

    def item(self, person: Person, task: str) -> Item:
        """The question of a task.

        Raises:
            UnknownTask: it is not one of this person.
        """
        if task not in person.tasks:
            raise UnknownTask("There is no such question among yours.")
        return self._items[person.tasks[task][0]]

    # answers

    def answer(
        self, person: Person, task: str, answer: str, key: str, real: str | None = None, shown_ms: int | None = None
    ) -> dict[str, Any]:
        """Store an answer; it is on disk when this returns. One that was stored before is not stored again.

        Args:
            person: who answers.
            task: which task.
            answer: a class, `NEITHER` or `CANNOT_TELL`.
            key: by which the answer is recognised if it is sent again.
            real: whether a picture that was drawn could be a real one: yes, unsure or no.
            shown_ms: how long the picture was on the screen.

        Returns:
            Whether it is new, the answer on disk, and the person's progress.

        Raises:
            UnknownTask: it is not one of this person.
            BadAnswer: a value is none of those that were offered.
            FullDisk: it could not be stored.
        """
        item, asked = self.item(person, task), person.tasks.get(task, ("", 0))
        if answer not in self._names:
            raise BadAnswer(f"{answer[:LONGEST]!r} is no class that this question offers.")
        if real and (real not in REAL or not item.drawn):
            raise BadAnswer(f"real is one of {', '.join(REAL)}, for pictures that a generator drew.")
        if not 0 < len(key) <= LONGEST:
            raise BadAnswer(f"key is a text of 1 to {LONGEST} characters that no other answer has.")
        if shown_ms is not None and not 0 <= shown_ms < 2**53:
            raise BadAnswer("shown_ms is a number of milliseconds.")
        response = Response(
            person.name, item.id, self._kind(asked), asked[1], self._names[answer], real or None, item.choices,
            shown_ms=shown_ms, task=task, key=key,
        )  # fmt: skip
        is_new, stored = self.store.add(response, self._enter)
        if stored.task != task:
            raise BadAnswer("key belongs to the answer to another question.")
        self._changed.set()
        return {"stored": is_new, "answer": visible(stored.answer), "progress": self.progress(person)}

    def undo(self, person: Person, key: str) -> dict[str, Any]:
        """Take back the last answer of a person, whose task comes first then. The same key does it only once.

        Raises:
            BadAnswer: there is no key.
            FullDisk: it could not be stored.
        """
        if not 0 < len(key) <= LONGEST:
            raise BadAnswer(f"key is a text of 1 to {LONGEST} characters that no other answer has.")
        last = self.store.withdraw(person.name, key, self._leave)
        self._changed.set()
        return {"undone": last is not None, "task": last.task if last else None, "progress": self.progress(person)}

    def _enter(self, response: Response) -> None:
        """Take note of a response that is on disk."""
        asked = response.picture, response.occasion
        with self._lock:
            person = self.people[response.person]
            person.done[asked] = response
            person.again.pop(response.picture, None)
            if response.occasion == 1 and response.picture in self._repeated:
                person.again[response.picture] = len(person.done)
            person.open = [one for one in person.open if one != asked]
            person.undone.discard(asked)
            if response.occasion == 1:
                self._answered[response.picture] |= {response.person}

    def _leave(self, response: Response) -> None:
        """Take note that a response was withdrawn."""
        asked = response.picture, response.occasion
        with self._lock:
            person = self.people[response.person]
            person.done.pop(asked, None)
            person.again.pop(response.picture, None)
            person.open.insert(0, asked)
            person.undone.add(asked)
            self._withdrawals += 1
            self._look_again()
            if response.occasion == 1:
                self._answered[response.picture] -= {response.person}
                if not self._answered[response.picture] and response.kind in COUNTED:
                    self.status = replace(self.status, open=self.status.open | {response.picture}, finished=False)

    # for pages

    def progress(self, person: Person) -> dict[str, Any]:
        """How far a person is, and how long it may take."""
        with self._lock:
            shown = [own.shown_ms / 1000 for own in list(person.done.values())[-50:] if own.shown_ms]
            wanted = 1.0 if len(self.people) < 2 else max(self.options.each, 1 + self.options.overlap)
            left = math.ceil(self.status.left * wanted / max(1, len(self.people)))
            found = {
                "answered": len(person.done),
                "left": left,
                "minutes": math.ceil(left * (statistics.median(shown) if shown else SECONDS) / 60),
                "finished": self.finished and not person.undone,
                "can_undo": bool(person.done),
            }
            return found | ({"interval": self.status.interval} if self.options.shows_interval and self.status.interval else {})

    def by_token(self, token: str) -> Person | None:
        """The person whom a token belongs to; None if it is nobody's. Takes the same time for every token."""
        found = None
        for person in self.people.values():
            if hmac.compare_digest(person.token.encode(), token.encode(errors="replace")):
                found = person
        return found

    def is_owner(self, token: str) -> bool:
        """Whether a token is the owner's."""
        return hmac.compare_digest(self.owner.encode(), token.encode(errors="replace"))

    def overview(self) -> Mapping[str, Any]:
        """Who answered what, for the owner: people, controls that were missed, pictures on which people disagree, the interval."""
        with self._lock:
            done = {name: list(person.done.values()) for name, person in self.people.items()}
        found = overview(done, self.answers_of_controls, self.status, self.points, self.queue.rule)
        found["sentences"] = list(self.queue.sentences())
        for one in found["discuss"]:
            one["place"] = self._places.get(one["picture"])
        return found


def check_name(name: str) -> str:
    """The name of a person as it is stored.

    Raises:
        SpecError: it is empty, too long, or has control characters.
    """
    stripped = name.strip()
    if not 0 < len(stripped) <= LONGEST or not stripped.isprintable():
        raise SpecError(f"{name[:LONGEST]!r} was given as the name of a person; 1 to {LONGEST} visible characters were expected.")
    return stripped
