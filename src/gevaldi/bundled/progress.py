"""How far a training is: told to a function of the caller's, or shown as bars on a terminal."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gevaldi.streams import lossy

Report = Callable[[str, float], None]
"""Takes the name of a model and the share of its training that is done, in [0, 1]."""


@contextmanager
def reporting(report: Report | None) -> Iterator[Report]:
    """The caller's own function; or one that draws a bar for each model on stderr, and nothing where that is no terminal."""
    if report is not None:
        yield report
        return
    console = Console(file=lossy(sys.stderr))
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks: dict[str, TaskID] = {}

        def draw(name: str, done: float) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=1.0)
            bars.update(tasks[name], completed=done)

        yield draw
