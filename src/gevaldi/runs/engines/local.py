"""The engine of one machine."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager

from gevaldi.runs.engines.base import Engine, Fill, Filled, Task


class Local(Engine):
    """This machine, in this process."""

    @contextmanager
    def opened(self) -> Iterator[Fill]:
        """It is always there."""
        yield fill


def fill(task: Task) -> Generator[Filled, None, None]:
    """One search after the other, in a batch that is kept full."""
    from gevaldi.runs import session

    yield from session.fill(task.run, task.models, task.batch_size, task.watch)
