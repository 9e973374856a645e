"""Progress on a terminal: what is finished, how fast, how long still."""

from collections.abc import Sequence
from types import TracebackType
from warnings import warn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text


class Rate(ProgressColumn):
    """Samples per second."""

    def render(self, task: Task) -> Text:
        """The rate so far."""
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="progress.data.speed")


class Bar:
    """A bar of samples, silent if not shown."""

    def __init__(self, shown: bool) -> None:
        columns = (
            TextColumn("samples"),
            BarColumn(),
            MofNCompleteColumn(),
            Rate(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), disable=not shown)
        self._task = self._progress.add_task("", total=None)
        self._heard = 0

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def rows(self, done: int, total: int) -> None:
        """So many samples are on disk."""
        self._progress.update(self._task, completed=done, total=total)

    def working(self, who: str) -> None:
        """These are at work."""
        self._progress.update(self._task, description=who)

    def told(self, texts: Sequence[str]) -> None:
        """What a user should hear, each text once: above the bar, or as a warning where there is none."""
        for text in texts[self._heard :]:
            if self._progress.disable:
                warn(f"gevaldi: {text}", stacklevel=3)
            else:
                self._progress.console.print(f"gevaldi: {text}", markup=False, highlight=False)
        self._heard = len(texts)

    def audited(self, done: int, total: int) -> None:
        """So many pictures have been looked at before the search."""
        shown = f"auditing the generator: {done:,} of {total:,} pictures" if done < total else ""
        self._progress.update(self._task, description=shown)

    def measuring(self) -> None:
        """How the networks are computed fastest is being found out."""
        self._progress.update(self._task, description="measuring how the networks are computed fastest")

    def step(self, searching: int, number: int) -> None:
        """The batch took a step."""
        self._progress.update(self._task, description=f"{searching} searching, step {number:,}")
