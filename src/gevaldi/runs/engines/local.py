"""The engine of one machine."""

from collections.abc import Generator

from gevaldi.runs.engines.base import Engine, Filled, Task


class Local(Engine):
    """This machine, in this process."""

    def check(self) -> None:
        """It is always there."""

    def fill(self, task: Task) -> Generator[Filled, None, None]:
        """One search after the other, in a batch that is kept full."""
        from gevaldi.runs.session import fill

        yield from fill(task.run, task.models, task.batch_size, task.watch)
