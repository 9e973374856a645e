"""Options that several commands have."""

from typing import Annotated

import typer

from gevaldi.cli.words import complete

Data = Annotated[str | None, typer.Option(help="folder of MNIST's four idx files", show_default="download", metavar="FOLDER")]
Generator = Annotated[str | None, typer.Option("--generator", "-g", help="SOURCE:NAME", autocompletion=complete("generators"))]
Orders = Annotated[str | None, typer.Option(help="both, forward, reverse", show_default="both", autocompletion=complete("orders"))]
Condition = Annotated[
    list[str] | None, typer.Option(help="what to ask the generator for; may be repeated", show_default="all in turn")
]
Taxonomy = Annotated[
    str | None,
    typer.Option(help="hierarchy of the classes: a name or a file", show_default="by ids", autocompletion=complete("taxonomies")),
]
SetForAll = Annotated[
    list[str] | None,
    typer.Option("--set", help="a setting for all comparisons, e.g. search.steps=50", autocompletion=complete("settings")),
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps", autocompletion=complete("devices"))]
Batch = Annotated[
    int | None,
    typer.Option(min=1, max=1_000_000, help="samples searched together; rows change by rounding at most", show_default="measured"),
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
FolderOfAll = Annotated[
    str | None,
    typer.Option(help="its folder, on this machine; the same command continues it", show_default="runs/NAME", metavar="FOLDER"),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="say how networks are computed, what was tried, and why")]
Again = Annotated[bool, typer.Option("--probe-again", help="measure anew how the networks are computed fastest")]
