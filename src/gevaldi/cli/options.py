"""Options that several commands share."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from gevaldi.cli.words import complete

Data = Annotated[str | None, typer.Option(help="folder with the four idx files", show_default="download", metavar="FOLDER")]
SetForAll = Annotated[
    list[str] | None,
    typer.Option("--set", help="a setting for all comparisons, e.g. search.steps=50", autocompletion=complete("settings")),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps", autocompletion=complete("devices"))]
BatchSize = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=1_000_000,
        help="samples searched together; affects rounding in large networks",
        show_default="128; measured for large networks",
    ),
]
Engine = Annotated[
    str | None,
    typer.Option(
        help="where to compute: local, ray or ray,workers=4 (gevaldi show ray)",
        show_default="local",
        autocompletion=complete("engines"),
    ),
]
Address = Annotated[
    str | None,
    typer.Option(help="a Ray cluster: HOST:6379, ray://HOST:10001 or auto", show_default="this machine", metavar="HOST:PORT"),
]
COMPUTE = {"device": (Device, "auto"), "batch_size": (BatchSize, None), "engine": (Engine, None), "address": (Address, None)}
"""The options of `Compute` with their defaults."""
FolderOfAll = Annotated[
    str | None,
    typer.Option(help="output folder on this machine; the same command resumes it", show_default="runs/NAME", metavar="FOLDER"),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="show how networks are computed, and the measurements behind that choice")
]
Again = Annotated[bool, typer.Option("--probe-again", help="repeat the measurement of the fastest way to compute large networks")]


def computing(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace a command's parameter `compute` by options for the named fields of `Compute`, by default all."""
    chosen = {name: COMPUTE[name] for name in names or COMPUTE}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def with_options(**values: Any) -> None:
            from gevaldi.compute import Compute

            own = {name: values.pop(name) for name in chosen}
            command(**values, compute=Compute(**own, progress=True))

        parameters: list[inspect.Parameter] = []
        for one in inspect.signature(command).parameters.values():
            shown = {name: one.replace(name=name, annotation=kind, default=default) for name, (kind, default) in chosen.items()}
            parameters += shown.values() if one.name == "compute" else [one]
        with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        with_options.__annotations__ = {one.name: one.annotation for one in parameters}
        return with_options

    return decorate
