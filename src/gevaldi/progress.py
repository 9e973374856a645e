"""Progress, as a bar on a terminal or lines in a log: samples finished, rate and time left."""

import sys
import time
from datetime import timedelta
from types import TracebackType
from typing import Any
from warnings import warn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from gevaldi.streams import lossy


class Rate(ProgressColumn):
    """Samples per second."""

    def render(self, task: Task) -> Text:
        """The rate so far."""
        return Text(f"{task.speed:.1f}/s" if task.speed else "", style="progress.data.speed")


class Seldom:
    """Decides when to write a line to a log: after half a minute, then ever more rarely, up to every ten minutes."""

    FIRST, LAST = 30.0, 600.0

    def __init__(self) -> None:
        self._gap, self._next = self.FIRST, time.monotonic() + self.FIRST

    def due(self) -> bool:
        """Whether a line is due now; if so, the next one is due later."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._gap = min(2 * self._gap, self.LAST)
        self._next = now + self._gap
        return True


class Bar:
    """A progress bar, or occasional lines if there is no terminal. Silent if `shown` is false; None shows it on a terminal only.

    `unit` is what is counted.
    """

    def __init__(self, shown: bool | None, unit: str = "samples") -> None:
        self._stream = lossy(sys.stderr)
        console = Console(file=self._stream)
        drawn = self._stream.isatty() or console.is_jupyter  # `is_terminal` believes FORCE_COLOR
        shown = self._stream.isatty() if shown is None else shown
        columns = (
            TextColumn(unit),
            BarColumn(),
            MofNCompleteColumn(),
            Rate(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
        )
        self._lines = Seldom() if shown and not drawn else None
        period = Seldom.LAST if self._lines else 30.0  # seconds over which the rate is taken
        self._progress = Progress(*columns, console=console, disable=not (shown and drawn), speed_estimate_period=period)
        self._task = self._progress.add_task("", total=None, unit=unit)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._progress.stop()

    def rows(self, done: int, total: int) -> None:
        """Show the number of samples on disk."""
        self._now(completed=done, total=total)

    def working(self, side: str) -> None:
        """Show the state of a cluster."""
        self._now(description=side)

    def notice(self, text: str) -> None:
        """Report a problem: above the bar or among the lines, or as a warning if neither is shown."""
        if self._lines:
            print(f"gevaldi: {text}", file=self._stream, flush=True)
        elif self._progress.disable:
            warn(f"gevaldi: {text}", stacklevel=3)
        else:
            self._progress.console.print(f"gevaldi: {text}", markup=False, highlight=False)

    def stage(self, text: str) -> None:
        """Show what is being done now."""
        self._now(description=text)

    def audited(self, done: int, total: int) -> None:
        """Show how many pictures the checks before the search have classified."""
        self._now(description=f"classifying pictures before the search: {done:,} of {total:,}" if done < total else "")

    def judged(self, done: int) -> None:
        """Show how many pictures the referee has classified."""
        self._now(description=f"asking the referee: {done:,} pictures")

    def measuring(self) -> None:
        """Show that the networks are being loaded, checked and, if large, timed."""
        self._now(description="preparing the networks")

    def step(self, searching: int, number: int) -> None:
        """Show the step of the batch."""
        self._now(description=f"searching {searching} at once, step {number:,}")

    def _now(self, **changes: Any) -> None:
        self._progress.update(self._task, **changes)
        if self._lines and self._lines.due():
            print(line_of(self._progress.tasks[0]), file=self._stream, flush=True)


def line_of(task: Task) -> str:
    """A task's progress as one line."""
    parts = [
        *([f"{task.completed:,.0f} of {task.total:,.0f} {task.fields.get('unit', 'samples')}"] if task.total else []),
        *([f"{task.speed:.1f}/s"] if task.speed else []),
        *([f"{timedelta(seconds=task.time_remaining)} left"] if task.time_remaining else []),
        *([task.description] if task.description else []),
    ]
    return f"gevaldi: {', '.join(parts)}"
