"""What people are asked and what becomes of their answers, over a store. Knows nothing of HTTP."""

import hashlib
import hmac
import math
import statistics
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from gevaldi.errors import DataError, GevaldiError, SpecError
from gevaldi.labelling.assignment import Assignment, Options, Person, TaskKey
from gevaldi.labelling.overview import overview
from gevaldi.labelling.queues import Item, Queue, Status
from gevaldi.labelling.store import Store
from gevaldi.names import visible
from gevaldi.verdicts import people as several
from gevaldi.verdicts.answers import CANNOT_TELL, NEITHER, Answers
from gevaldi.verdicts.responses import Response

REAL = ("yes", "unsure", "no")
SECONDS = 6.0  # that an answer takes, before anybody has answered
LONGEST = 60  # characters of a name or a key
SLOW = 0.2  # seconds that an overview may take each time it is asked for
PAUSE = 0.2  # seconds between two looks at the verdict, at least


class UnknownTask(GevaldiError):
    """A task that this person was never given."""


class BadAnswer(DataError):
    """An answer that is none of those that were offered."""


class Service:
    """The questions of a queue for some people, over a store."""

    def __init__(self, queue: Queue, store: Store, people: Sequence[str], options: Options) -> None:
        """Begin, or go on with what is stored.

        Args:
            queue: what is asked.
            store: of the queue's folder.
            people: who takes part. The answers of others who are stored count as well.
            options: how people are asked.

        Raises:
            SpecError: a name cannot be one of a person.
            RunFolderError: the store cannot be read or written.
        """
        self.queue, self.store, self.options = queue, store, options
        self._secret = store.setting("secret").encode()
        self.owner = store.setting("owner")
        self.assignment = Assignment(queue, options)
        self.answers_of_controls = {own.item.id: own.answer for own in queue.controls.values()}
        self._names = {visible(name): name for name in (*queue.classes, NEITHER, CANNOT_TELL)}
        self._names |= {name: name for name in queue.classes}
        names = [check_name(name) for name in people]
        for name in names:
            store.token(name)
        everybody = {name: Person(name, token, self._tasks(name)) for name, token in store.people().items()}
        self.people = {name: everybody[name] for name in everybody if name in names}
        self.assignment.people, self.assignment.active = everybody, frozenset(names)
        for response in store.responses():
            self.assignment.enter(response)
        self._changed, self._stopped = threading.Event(), threading.Event()
        self._follower: threading.Thread | None = None
        self.trouble = ""  # why the verdict could not be computed when that was last tried
        self.points = list(queue.history())
        self._overview, self._next_overview = dict[str, Any](), -math.inf
        self.refresh()

    # the verdict

    @property
    def status(self) -> Status:
        """What the answers decided when that was last computed."""
        return self.assignment.status

    @property
    def finished(self) -> bool:
        """Whether nobody is asked anything any more."""
        return self.assignment.finished

    @property
    def left(self) -> int:
        """How many answers are still needed, as far as that can be foretold: first and second ones. For the owner alone."""
        return self.status.left + self.assignment.outstanding

    def refresh(self) -> Status:
        """Decide again, by all answers that are stored; returns what is open then."""
        if not self.assignment.decide():
            self._changed.set()
        point = self.status.point
        if point and point not in self.points[-1:]:
            self.points.append(point)
        return self.status

    def _refresh_if_possible(self) -> None:
        """Decide again; if answers or the pool cannot be read, tell the owner and leave the status as it is."""
        try:
            self.refresh()
            self.trouble = ""
        except (GevaldiError, OSError) as error:
            self.trouble = str(error)

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
            self._refresh_if_possible()
            self._stopped.wait(max(PAUSE, 4 * (time.monotonic() - begin)))  # leaves the processor to those who answer

    # questions

    def next(self, person: Person, count: int = 1) -> list[dict[str, Any]]:
        """The next tasks of a person, as the browser sees them; those that wait for an answer come first."""
        asked = self.assignment.next(person, count)
        if not asked and not self.finished:
            self._refresh_if_possible()  # the last answer may have decided, or another process may have added labels
            asked = self.assignment.next(person, count)
        return [self._task_json(person, one) for one in asked]

    def _task_json(self, person: Person, asked: TaskKey) -> dict[str, Any]:
        item, task = self.assignment.items[asked[0]], self._task(person.name, asked)
        return {
            "task": task,
            "picture": f"picture/{task}",
            **({"sound": f"sound/{task}"} if self.queue.sound else {}),
            "choices": [visible(name) for name in item.choices],
            "drawn": item.drawn,
        }

    def _task(self, person: str, asked: TaskKey) -> str:
        return hmac.digest(self._secret, f"{person}|{asked[0]}|{asked[1]}".encode(errors="surrogatepass"), hashlib.sha256).hex()[
            :20
        ]

    def _tasks(self, person: str) -> dict[str, TaskKey]:
        asked = [*((text, 1) for text in self.assignment.items), *((text, 2) for text in self.assignment.repeated)]
        return {self._task(person, one): one for one in asked}

    def item(self, person: Person, task: str) -> Item:
        """The question of a task.

        Raises:
            UnknownTask: it is not one of this person.
        """
        if task not in person.tasks:
            raise UnknownTask("There is no such question among yours.")
        return self.assignment.items[person.tasks[task][0]]

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
            NotStored: it could not be stored.
        """
        item, asked = self.item(person, task), person.tasks.get(task, ("", 0))
        if answer not in self._names:
            raise BadAnswer(f"{answer[:LONGEST]!r} is no class that this question offers.")
        if real and (real not in REAL or not item.drawn):
            raise BadAnswer(f"real is one of {', '.join(REAL)}, for pictures that a generator drew.")
        _check_key(key)
        if shown_ms is not None and not 0 <= shown_ms < 2**53:
            raise BadAnswer("shown_ms is a number of milliseconds.")
        response = Response(
            person.name, item.id, self.assignment.kind(asked), asked[1], self._names[answer], real or None, item.choices,
            shown_ms=shown_ms, task=task, key=key,
        )  # fmt: skip
        is_new, stored = self.store.add(response, self.assignment.enter)
        if stored.task != task:
            raise BadAnswer("key belongs to the answer to another question.")
        self._changed.set()
        return {"stored": is_new, "answer": visible(stored.answer), "progress": self.progress(person)}

    def undo(self, person: Person, key: str) -> dict[str, Any]:
        """Take back the last answer of a person, whose task comes first then.

        The same key does it only once, and names the same task again.

        Answers to what is no longer asked, as after a change of options, stay.

        Raises:
            BadAnswer: there is no key.
            NotStored: it could not be stored.
        """
        _check_key(key)
        is_new, last = self.store.withdraw(person.name, key, person.tasks, self.assignment.leave)
        self._changed.set()
        return {"undone": is_new, "task": last.task if last else None, "progress": self.progress(person)}

    # for pages

    def progress(self, person: Person) -> dict[str, Any]:
        """How far a person is, and how long it may take at most.

        The forecast of the verdict stays with the owner: it would say which answers favour the leading classifier.
        """
        with self.assignment.lock:
            shown = [own.shown_ms / 1000 for own in list(person.done.values())[-50:] if own.shown_ms]
            left = math.ceil(self.assignment.left / len(self.people))
            found = {
                "answered": len(person.done),
                "left": left,
                "ends_early": self.queue.ends_early,
                "minutes": math.ceil(left * (statistics.median(shown) if shown else SECONDS) / 60),
                "finished": self.finished and not person.undone,
                "can_undo": any(own.task in person.tasks for own in reversed(person.done.values())),
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
        """Who answered what, for the owner: people, controls that were missed, pictures on which people disagree, the interval.

        Of thousands of answers it takes seconds, so that people wait; then it is computed anew after ten times as long.
        """
        begin = time.monotonic()
        if begin >= self._next_overview:
            self._overview = self._compute_overview()
            took = time.monotonic() - begin
            self._next_overview = begin + (10 * took if took > SLOW else 0)
        return self._overview

    def _compute_overview(self) -> dict[str, Any]:
        with self.assignment.lock:
            done = {name: len(person.done) for name, person in self.assignment.people.items()}
        folder = self.queue.folder
        compared = several.overview(several.responses_of(Answers(folder).all(), folder), self.answers_of_controls, self.queue.rule)
        found = overview(done, compared, self.status, self.points)
        found["sentences"] = list(self.queue.sentences())
        found |= {"trouble": self.trouble, "finished": self.finished, "left": self.left}
        for one in found["discuss"]:
            one["place"] = self.assignment.places.get(one["picture"])
        return found


def _check_key(key: str) -> None:
    """Refuse what cannot be stored, so that it does not fail the transaction that it shares with answers of others."""
    if not key.isascii() or not 0 < len(key) <= LONGEST:
        raise BadAnswer(f"key is a text of 1 to {LONGEST} ASCII characters that no other answer has.")


def check_name(name: str) -> str:
    """The name of a person as it is stored.

    Raises:
        SpecError: it is empty, too long, or has control characters.
    """
    stripped = name.strip()
    if not 0 < len(stripped) <= LONGEST or not stripped.isprintable():
        raise SpecError(f"{name[:LONGEST]!r} was given as the name of a person; 1 to {LONGEST} visible characters were expected.")
    return stripped
