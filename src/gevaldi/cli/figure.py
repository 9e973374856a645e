"""The command `gevaldi figure`: a figure of a run, for a paper."""

from typing import TYPE_CHECKING, Annotated

import typer

from gevaldi.cli.words import complete, tell

if TYPE_CHECKING:
    from gevaldi.runs.store.run import Run
    from gevaldi.storage import Location


def figure(
    folder: Annotated[str, typer.Argument(help="the run's folder, also s3://...")],
    name: Annotated[
        str | None,
        typer.Argument(help="e.g. divergence or samples,count=4", show_default="list them", autocompletion=complete("figures")),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            help="a .png, .svg or .pdf file; with --format, its name without the ending",
            show_default="FOLDER/figures/NAME.png",
            metavar="FILE",
        ),
    ] = None,
    format_: Annotated[
        list[str] | None,
        typer.Option("--format", help="png, svg, pdf; may be repeated", show_default="png", autocompletion=complete("formats")),
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="an option of the figure, e.g. width=double")] = None,
) -> None:
    """Draw a figure of a run, for a paper.

    The run need not be complete. Needs no torch and no models. Without a NAME, lists the figures and says which of them this run
    cannot provide; gevaldi show NAME describes a figure's options. Examples:

    \b
      gevaldi figure runs/demo divergence
      gevaldi figure runs/demo samples,count=4,width=single --out samples.pdf
      gevaldi figure runs/demo filmstrip --set index=7 --format png --format pdf
    """
    from gevaldi.errors import SpecError
    from gevaldi.runs.store.run import Run
    from gevaldi.storage import location

    run = Run.open(location(folder))
    if name is None:
        if out is not None or format_ or set_:
            raise SpecError("Which figure? gevaldi figure RUN NAME; without any option, gevaldi figure RUN lists them.")
        tell(list_figures(run))
        return
    from gevaldi.figures import figure_of, saved
    from gevaldi.figures.base import ending_of

    called = ",".join([name, *(set_ or [])])
    paths = _paths(run.folder, called, None if out is None else location(out), format_ or [])
    for path in paths:
        ending_of(path)  # before anything is written
    drawn = figure_of(run, called)
    for path in paths:
        tell(f"figure: {saved(drawn, path)}")


def _paths(folder: "Location", called: str, out: "Location | None", formats: list[str]) -> "list[Location]":
    """The files to write: one for each `--format`, beside `--out` or else in the folder, and `--out` itself.

    With formats, an `--out` without a known ending is the stem of the files' names.
    """
    from gevaldi.calls import Call
    from gevaldi.figures.base import METADATA

    whole = out and out.suffix.lower() in METADATA
    stem = out.with_suffix("") if out and whole else out or folder / "figures" / Call.parse(called).name
    endings = dict.fromkeys(f.strip().lower().removeprefix(".") for text in formats for f in text.split(","))
    paths = [stem.parent / f"{stem.name}.{ending}" for ending in endings or ([] if out else ["png"])]
    return list(dict.fromkeys(([out] if out and (whole or not paths) else []) + paths))


def list_figures(run: "Run") -> str:
    """The figures, one line each, and why this run cannot provide some of them."""
    from gevaldi.figures import NothingToDraw, figure_of, registry

    width = max(map(len, registry.names()))
    lines = ["figures"]
    for name in registry:
        lines.append(f"  {name:<{width}}  {registry.summary(name)}")
        try:
            figure_of(run, name)
        except NothingToDraw as error:
            lines.append(f"  {'':<{width}}  Not for this run: {error}")
    return "\n".join(lines)
