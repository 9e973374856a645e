"""What every engine must do."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gevaldi.errors import GevaldiError
from gevaldi.runs.store import Run
from gevaldi.settings import Settings

if TYPE_CHECKING:
    from gevaldi.runs.worker.search import OnStep
    from gevaldi.runs.worker.setup import Models


class EngineError(GevaldiError):
    """A cluster that does not answer, or workers that cannot work."""


@dataclass(frozen=True)
class Task:
    """A run that is open, and what it takes to compute the rows that it still lacks.

    Attributes:
        run: its folder, and the record that says how they are computed.
        models: the networks, ready on this machine.
        given: the three of them as the user gave them, names or objects, by which another machine comes to them.
        batch_size: samples searched together; None for what the record says.
        watch: told after every step where the search is on this machine.
    """

    run: Run
    models: "Models"
    given: Sequence[Any]
    batch_size: int | None
    watch: "OnStep"


@dataclass(frozen=True)
class Workers:
    """Who works on a run: how many, on how many machines, and how many chunks were given again because a worker was lost."""

    alive: int
    nodes: int
    again: int

    def in_words(self) -> str:
        """The same, as a progress bar shows it."""
        if not self.alive:
            return "waiting for workers"
        who = f"{self.alive} worker{'s' * (self.alive > 1)} on {self.nodes} node{'s' * (self.nodes > 1)}"
        return who + (f", {self.again} chunk{'s' * (self.again > 1)} given again" if self.again else "")


@dataclass(frozen=True)
class Filled:
    """How far a run is: rows on disk of all there will be; on a cluster, who works, and what a user should hear once."""

    done: int
    total: int
    workers: Workers | None = None
    told: tuple[str, ...] = ()


Fill = Callable[[Task], Generator[Filled, None, None]]
"""Compute the rows that a run still lacks; yields how far it is, at first, whenever that has changed, and now and then.

Closing it stops the work; what was finished is safe.

Raises:
    EngineError: there is nobody who could compute them.
    RunFolderError: they cannot be written.
"""


class Engine(Settings, ABC):
    """A place to compute in; its settings are its fields. The rows are the same in every one of them."""

    @abstractmethod
    def opened(self) -> AbstractContextManager[Fill]:
        """What fills runs, one after the other, until the context ends, and not after. What it needs for one is kept for the next.

        Raises:
            MissingExtra: its package is not installed.
            EngineError: nobody answers; so that what cannot work is refused at once, before anything is loaded.
        """
