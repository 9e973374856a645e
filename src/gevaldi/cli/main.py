"""`gevaldi`: the commands, and how they report errors."""

import os
import sys
from contextlib import nullcontext
from shlex import quote
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from gevaldi.cli.archive import archive
from gevaldi.cli.card import card
from gevaldi.cli.diagnosis import doctor
from gevaldi.cli.experiments import experiment
from gevaldi.cli.export import export
from gevaldi.cli.figure import figure
from gevaldi.cli.hierarchy import cluster, distance
from gevaldi.cli.label import label
from gevaldi.cli.options import Again, Verbose, computing
from gevaldi.cli.plant import plant
from gevaldi.cli.referee import referee
from gevaldi.cli.regions import RegionsCommand, regions
from gevaldi.cli.reproduce import reproduce
from gevaldi.cli.settings import SettingsCommand, override
from gevaldi.cli.signals import Interrupted, interruptible
from gevaldi.cli.study import study
from gevaldi.cli.sweep import SweepCommand, sweep
from gevaldi.cli.train import train
from gevaldi.cli.verdict import verdict
from gevaldi.cli.words import check_text, complete, say, tell
from gevaldi.errors import GevaldiError, RunFolderError, SpecError
from gevaldi.streams import loss, lossy


class Group(TyperGroup):
    """The commands; an error about a missing parameter includes its help."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command until it ends or a signal interrupts it."""
        try:
            return super().invoke(ctx)
        except Interrupted as signal:
            raise typer.Exit(signal.code) from None
        except typer.BadParameter as error:
            description = getattr(error.param, "help", None)
            if description and not error.message:  # for a missing parameter
                error.message = description[0].upper() + description[1:]
            raise


app = typer.Typer(
    name="gevaldi",
    cls=Group,
    epilog="Begin with: gevaldi demo. Then: gevaldi list, and gevaldi compare FIRST SECOND --generator GENERATOR.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # its imports alone take longer than all the rest of --help
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def show_version(requested: bool) -> bool:
    """Print the version and exit, if the option was given."""
    if requested:
        from importlib.metadata import version

        typer.echo(f"gevaldi {version('gevaldi')}")
        raise typer.Exit
    return requested


@app.callback()
def main(
    version: Annotated[bool, typer.Option("--version", help="print the version", is_eager=True, callback=show_version)] = False,
) -> None:
    """Find, measure and show the pictures on which two classifiers differ most."""


def run() -> None:
    """The entry point. Prints errors about the input (exit code 2); Ctrl-C ends with 130, SIGTERM with 143.

    A failure to write output loses no results. If the reader closed the pipe, the command's exit code stands; otherwise it is 1.
    """
    from gevaldi.cli.completion import complete_colons

    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is None:
            os.open(os.devnull, os.O_RDWR)  # so that no file of a run gets the number of a closed stream
    sys.stdout, sys.stderr = lossy(sys.stdout), lossy(sys.stderr)
    try:
        check_text(sys.argv[1:])
        with complete_colons(), interruptible():
            app()
    except GevaldiError as error:
        say(f"gevaldi: {error}")
        sys.exit(2)
    except SystemExit as done:
        lost = loss(sys.stdout)
        if done.code or lost is None or isinstance(lost, BrokenPipeError):
            raise
        say(f"gevaldi: the output cannot be written: {getattr(lost, 'strerror', None) or lost}. Files are not affected.")
        sys.exit(1)


Classifier = Annotated[
    str | None, typer.Argument(help="SOURCE:NAME, e.g. bundled:mnist-strided", autocompletion=complete("classifiers"))
]
Out = Annotated[
    str | None,
    typer.Option(
        help="run folder, also s3://...; the same command resumes it", show_default="runs/FIRST-vs-SECOND-ID", metavar="FOLDER"
    ),
]
Folder = Annotated[str, typer.Argument(help="the run's folder, also s3://...", show_default=False)]


class CompareCommand(SettingsCommand):
    """`gevaldi compare`."""

    names = (
        *("generator", "samples", "conditions", "orders", "divergence", "taxonomy", "convention", "prior_weight"),
        *("search.algorithm", "search.steps", "seed", "real"),
    )


@app.command(cls=CompareCommand)
@computing()
def compare(
    ctx: typer.Context,
    first: Classifier = None,
    second: Classifier = None,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="calibrate both classifiers, each at the temperature that fits --real")
    ] = False,
    spec: Annotated[
        str | None, typer.Option(help="settings as a YAML or TOML file; options given here override it", metavar="FILE")
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", help="any setting by its dotted name, e.g. search.gain=0.001", autocompletion=complete("settings")),
    ] = None,
    compute: Any = None,
    out: Out = None,
    title: Annotated[str, typer.Option(help="the report's title, such as the question that it answers", show_default=False)] = "",
    note: Annotated[str, typer.Option(help="a short note below the title", show_default=False)] = "",
    author: Annotated[str, typer.Option(help="the report's author", show_default=False)] = "",
    report: Annotated[bool, typer.Option(help="write the report when done")] = True,
    verbose: Verbose = False,
    probe_again: Again = False,
) -> None:
    """Find where two classifiers differ most, and write a report.

    Classifiers and generators are named SOURCE:NAME (gevaldi list). Your own are functions in a file that return
    gevaldi.classifier(module, labels=10) and gevaldi.generator(module, latent=20). Examples:

    \b
      gevaldi compare bundled:mnist-strided bundled:mnist-pooled -g bundled:mnist-vae --real bundled:mnist-digits
      gevaldi compare python:models.py:old python:models.py:new,seed=3 -g python:models.py:generator -n 200
      gevaldi compare --spec runs/demo/spec.yaml --condition 4 --divergence log-odds,this=4,that=9 --out runs/four-nine

    Set all other settings by their dotted names: --set search.typical_mass=0.99 (gevaldi show spec lists them).
    The same command resumes a killed or interrupted run.
    """
    from gevaldi.spec import read_spec, spec_from
    from gevaldi.storage import location

    settings = {} if spec is None else read_spec(location(spec))
    models = {"first": first, "second": second}
    override(settings, {name: value for name, value in models.items() if value is not None} | ctx.obj, set_)
    if calibrate:
        _calibrate(settings)
    checked = spec_from(settings, "the options" if spec is None else spec)
    about = {"title": title, "note": note, "author": author}
    _execute(checked, out, compute, report, verbose=verbose, probe_again=probe_again, about=about)


def _calibrate(settings: dict[str, Any]) -> None:
    """Replace both classifiers by ones at the temperatures that fit the real pictures.

    Raises:
        SpecError: there are no real pictures.
    """
    if not settings.get("real"):
        raise SpecError("--calibrate was given without --real; a temperature is fitted on real pictures of known classes.")
    for side in ("first", "second"):
        if settings.get(side):
            settings[side] = f"calibrated:({settings[side]}),pictures=({settings['real']})"


@app.command()
@computing()
def demo(
    world: Annotated[
        str, typer.Option(help="mnist: digits; fashion: garments, of which the pair disputes more; speech: spoken digits")
    ] = "mnist",
    out: Annotated[
        str | None,
        typer.Option(
            help="run folder; the same command resumes it", show_default="runs/demo, or runs/demo-WORLD", metavar="FOLDER"
        ),
    ] = None,
    compute: Any = None,
    verbose: Verbose = False,
) -> None:
    """Compare the bundled pair of classifiers of digits, of garments, or of spoken digits.

    Searches from 64 starts in both orders, audits the generator against real pictures or recordings, and writes the report. Takes
    less than a minute.
    """
    from gevaldi.bundled.worlds import WORLDS
    from gevaldi.errors import UnknownName
    from gevaldi.spec import spec_from

    if world not in WORLDS:
        raise UnknownName("world", world, WORLDS)
    folder = "runs/demo" if world == "mnist" else f"runs/demo-{world}"
    _execute(spec_from(WORLDS[world].comparison), folder if out is None else out, compute, verbose=verbose)


@app.command()
@computing()
def resume(
    folder: Folder,
    compute: Any = None,
    report: bool = True,
    verbose: Verbose = False,
) -> None:
    """Resume an interrupted run.

    Finished rows are not computed again.
    """
    from gevaldi.runs.store.run import Run
    from gevaldi.storage import location

    run = Run.open(location(folder))
    _execute(run.spec, folder, compute, report, run.taxonomy_copy(), verbose)


@app.command(name="report")
def report_command(
    folder: Folder,
    out: Annotated[str | None, typer.Option(help="output file", show_default="FOLDER/report.html", metavar="FILE")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="most samples to show")] = 200,
) -> None:
    """Write the report of a run.

    The run need not be complete. Needs no torch and no models.
    """
    from gevaldi.reports.page import write_report
    from gevaldi.runs.store.run import Run
    from gevaldi.storage import location

    tell(f"report: {write_report(Run.open(location(folder)), None if out is None else location(out), limit)}")


@app.command()
def verify(folder: Folder) -> None:
    """Check that a run is unchanged since it was written.

    Checks its record, every byte of its rows, whether rows agree with the record and with themselves, and its input files.
    The last line is a checksum of the run; store it elsewhere, since any change to a row or the record changes it. Exit code 2 if
    a check fails. Needs no torch and no models.
    """
    from gevaldi.runs.store.run import Run
    from gevaldi.runs.verification import verify
    from gevaldi.storage import location

    run, holds = Run.open(location(folder)), True
    for finding in verify(run):
        tell(f"{'ok   ' if finding.holds else 'FAIL '} {finding.text}")
        holds = holds and finding.holds
    tell(f"checksum {run.checksum}")
    if not holds:
        raise typer.Exit(2)


@app.command(name="list")
def list_command(
    kind: Annotated[
        str | None,
        typer.Argument(
            help="classifiers, generators, pictures, divergences, taxonomies, figures ..., or a source such as torchvision",
            autocompletion=complete("kinds"),
        ),
    ] = None,
) -> None:
    """List the available names: of all kinds, of one kind, or of one source of models."""
    from gevaldi.cli.catalogue import listing

    tell(listing(kind))


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="any name from gevaldi list", autocompletion=complete("everything"))],
) -> None:
    """Show the documentation of a name.

    A model's card, a divergence's definition or an algorithm's settings; `spec` shows all settings of a run.
    """
    from gevaldi.cli.catalogue import documentation

    tell(documentation(name))


app.command()(distance)
app.command()(cluster)
app.command()(experiment)
app.command(cls=SweepCommand)(sweep)
app.command()(verdict)
app.command()(label)
app.command(cls=RegionsCommand)(regions)
app.command()(archive)
app.command()(study)
app.command()(reproduce)
app.command()(figure)
app.command()(referee)
app.command()(export)
app.command()(card)
app.command()(doctor)
app.add_typer(train, name="train")
app.add_typer(plant, name="plant")


def _execute(
    spec: Any,
    out: str | None,
    compute: Any,
    report: bool = True,
    taxonomy: Any = None,
    verbose: bool = False,
    probe_again: bool = False,
    about: dict[str, str] | None = None,
) -> None:
    from gevaldi.folders import in_path
    from gevaldi.names import told_apart

    names = map(in_path, told_apart(spec.first, spec.second))
    named = f"runs/{'-vs-'.join(names)}-{spec.fingerprint}" if out is None else out
    models = (spec.first, spec.second, spec.generator)
    try:
        from gevaldi.comparison import command_of, execute
        from gevaldi.execution.tuning import ignoring_cache, lines_of
        from gevaldi.reports.seriousness import alignment_sentences
        from gevaldi.runs.store.run import Run
        from gevaldi.storage import location

        folder = location(named)
        before = Run.begun(folder)
        complete = before is not None and before.complete
        command = command_of(spec, folder, models)
        ignored = {"--probe-again": probe_again, "speed": before is not None and spec.speed != before.spec.speed}
        ignored |= {
            f"--{key}": before.record.get("about", {}).get(key) != text for key, text in (about or {}).items() if text and before
        }
        for what in [name for name, differs in ignored.items() if before and differs]:
            say(f"gevaldi: {what} is ignored: {folder} already holds a run, which resumes with its original settings.")

        def begun(run: Run) -> None:
            for text in [*(lines_of(run.record["execution"]) if verbose else ()), *alignment_sentences(run.record)]:
                say(text)
            for warning in run.record["warnings"]:
                say(f"gevaldi: warning: {warning}")

        with ignoring_cache() if probe_again else nullcontext():
            comparison = execute(spec, folder, models, compute, command, taxonomy, begun=begun, about=about)
    except KeyboardInterrupt:
        say(f"gevaldi: interrupted{_left(named)}")
        raise
    from gevaldi.cli.table import summary_table
    from gevaldi.measures.failures import why_all_failed

    if complete:
        say(f"The run in {folder} was already complete, so nothing was computed. For a new run, delete it or give another --out.")
    summary_table(comparison.run, comparison.summary())
    tell(f"rows:   {folder / 'samples'}")
    if report:
        try:
            tell(f"report: {comparison.report()}")
        except RunFolderError as error:
            if not complete:
                raise
            say(f"gevaldi: {error}")  # the folder of a complete run may be read-only
    if why := why_all_failed(comparison.run.each(["status", "error"])):
        say(f"gevaldi: {why}")
        raise typer.Exit(2)


def _left(folder: str) -> str:
    """The rows that an interrupted run leaves, and how to resume it."""
    from gevaldi.runs.store.run import Run
    from gevaldi.storage import location

    run = Run.begun(location(folder))
    if run is None:
        return f"; there is no run in {folder} to resume."
    return f"; {len(run.done())} of {run.total} rows are safe. Resume with: gevaldi resume {quote(folder)}"
