"""The command `gevaldi verdict`: which of some classifiers to deploy."""

import shlex
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gevaldi.cli.options import BatchSize, Device
from gevaldi.cli.words import complete, say, tell

if TYPE_CHECKING:
    from gevaldi.verdicts.assessment import Assessment
    from gevaldi.verdicts.verdict import Verdict

CLAIMS = ("not-worse", "better", "equivalent")
RULES = ("unanimous", "majority", "dawid-skene")
CRASHED = 3  # exit status, since 1 says that the claim fails


def verdict(
    classifiers: Annotated[
        list[str],
        typer.Argument(
            help="OLD NEW, or more of them; SOURCE:NAME, or table:FILE with predictions",
            autocompletion=complete("classifiers"),
            show_default=False,
        ),
    ],
    pool: Annotated[
        str | None,
        typer.Option(
            help="the pictures, e.g. folder:DIR; not needed for tables", autocompletion=complete("pictures"), metavar="POOL"
        ),
    ] = None,
    margin: Annotated[str, typer.Option(help="the largest difference that does not matter, e.g. 0.5%")] = "0",
    require: Annotated[
        str,
        typer.Option(
            help="the claim to decide about NEW: not-worse (than OLD, by more than the margin), better, equivalent",
            autocompletion=lambda incomplete: [claim for claim in CLAIMS if claim.startswith(incomplete)],
        ),
    ] = "not-worse",
    labels: Annotated[
        list[str] | None,
        typer.Option(help="labels: CSV, JSON, Parquet, a folder per class, Label Studio's export, another verdict", metavar="FILE"),
    ] = None,
    ask: Annotated[bool, typer.Option("--ask", help="ask for labels on this terminal")] = False,
    view: Annotated[bool, typer.Option("--view", help="with --ask: open each picture in the system's viewer, too")] = False,
    person: Annotated[str, typer.Option(help="who answers, for the record", show_default=False)] = "",
    score: Annotated[
        list[str] | None,
        typer.Option(
            help="accuracy, levels, top-5, class:NAME, cost:FILE; may be repeated, the first decides", show_default="accuracy"
        ),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            help="a slice as one more question: a pattern of ids ('night/*'), a column's value ('site=Lyon')", metavar="SLICE"
        ),
    ] = None,
    budget: Annotated[
        int | None, typer.Option(min=1, help="a number of labels fixed beforehand, with one look at its end", metavar="N")
    ] = None,
    confidence: Annotated[float, typer.Option(help="of all intervals together")] = 0.95,
    seed: Annotated[int, typer.Option(help="of the order of labelling")] = 0,
    truth: Annotated[bool, typer.Option(help="use the classes that the pool itself knows")] = True,
    several: Annotated[
        str,
        typer.Option(
            help="the answer that counts where several people gave one: unanimous, majority, dawid-skene",
            autocompletion=lambda incomplete: [rule for rule in RULES if rule.startswith(incomplete)],
        ),
    ] = "unanimous",
    label_error: Annotated[
        str | None,
        typer.Option(help="allow for wrong labels: a chance such as 5%, or measured by overlap and controls", metavar="SHARE"),
    ] = None,
    taxonomy: Annotated[str, typer.Option(help="the hierarchy of --score levels", autocompletion=complete("taxonomies"))] = "auto",
    out: Annotated[
        str | None,
        typer.Option(help="folder; the same command goes on there", show_default="runs/verdict-OLD-vs-NEW-ID", metavar="FOLDER"),
    ] = None,
    queue: Annotated[int, typer.Option(min=1, help="how many pictures to list for labelling")] = 100,
    label_studio: Annotated[
        bool, typer.Option("--label-studio", help="write this list as blind tasks for Label Studio, too")
    ] = False,
    predictions: Annotated[str, typer.Option(help="where predictions are stored", metavar="FOLDER")] = "runs/predictions",
    generator: Annotated[
        str | None,
        typer.Option(help="show what a class-conditional generator says, as a guess", autocompletion=complete("generators")),
    ] = None,
    markdown: Annotated[str | None, typer.Option(help="write a comment for a change request", metavar="FILE")] = None,
    junit: Annotated[str | None, typer.Option(help="write a test result", metavar="FILE")] = None,
    json_: Annotated[str | None, typer.Option("--json", help="write the record", metavar="FILE")] = None,
    device: Device = "auto",
    batch_size: BatchSize = None,
) -> None:
    """Decide which classifier is better on a pool of real pictures, from few labels.

    Only pictures on which they differ are labelled, in a random order; the interval may be looked at after every label. Write
    classes into the folder's queue.csv and give the same command again, or answer on the terminal with --ask. Exit status: 0 if the
    claim holds, 1 if it fails, 2 while it is undecided or if the input cannot be used. Examples:

    \b
      gevaldi verdict bundled:mnist-strided bundled:mnist-pooled --pool mnist:test --margin 0.5%
      gevaldi verdict timm:resnet50 quantised:timm:resnet50,bits=8 --pool folder:photos --margin 1% --ask
      gevaldi verdict table:old.csv table:new.csv --labels labels.csv --require not-worse --markdown comment.md
    """
    from gevaldi.errors import GevaldiError

    question: dict[str, Any] = {
        "margin": margin,
        "require": require,
        "score": score or "accuracy",
        "where": where or (),
        "labels": labels,
    }
    question |= {"confidence": confidence, "seed": seed, "budget": budget, "use_truth": truth, "taxonomy": taxonomy}
    question |= {"several": several, "label_error": label_error}
    how = {"predictions": predictions, "generator": generator, "device": device, "batch_size": batch_size}
    files = {"markdown": markdown, "junit": junit, "json": json_}
    try:
        status = _decide(classifiers, pool, out, question, how, files, (queue, label_studio), (person, view) if ask else None)
    except KeyboardInterrupt:
        say("gevaldi: interrupted. Predictions and answers so far are stored; the same command goes on.")
        raise
    except (GevaldiError, typer.Exit):
        raise
    except Exception as error:
        traceback.print_exception(error)
        raise typer.Exit(CRASHED) from None
    raise typer.Exit(status)


def _decide(
    classifiers: list[str],
    pool: str | None,
    out: str | None,
    question: dict[str, Any],
    how: dict[str, Any],
    files: dict[str, str | None],
    listing: tuple[int, bool],
    asking: tuple[str, bool] | None,
) -> int:
    """Decide, write all files, and return the exit status."""
    from gevaldi.errors import SpecError
    from gevaldi.verdicts.gate import STATUS
    from gevaldi.verdicts.queue import read_queue, write_queue
    from gevaldi.verdicts.record import write_record
    from gevaldi.verdicts.start import default_folder
    from gevaldi.verdicts.start import verdict as start

    if len(classifiers) < 2:
        raise SpecError("A verdict is between two classifiers or more: gevaldi verdict OLD NEW --pool POOL.")
    folder = Path(out).expanduser() if out else default_folder(classifiers, pool, question["seed"])
    first, second, *others = classifiers
    found = start(first, second, pool, others=others, progress=True, out=folder, **how, **question)
    read_queue(found, folder)
    if asking:
        from gevaldi.cli.ask import ask_for_labels

        ask_for_labels(found, *asking)
        read_queue(found, folder)  # others may have written into it meanwhile
    write_record(found, folder)
    _describe(found)
    count, as_tasks = listing
    path = write_queue(found, folder, count)
    if found.left:
        tell(f"queue:  {path} (write the classes into it, and give the same command again)")
    if found.left and found.pool.pictures is not None:
        tell(f"people: gevaldi label {shlex.quote(str(folder))} (asks them on a page in the browser)")
    if found.left and as_tasks:
        from gevaldi.verdicts.tasks import write_tasks

        tell(f"tasks:  {write_tasks(found, folder, count)} (give the export of Label Studio to the same command: --labels FILE)")
    _write_files(found, files)
    tell(f"report: {found.report()}")
    return STATUS[found.state]


def _describe(found: "Assessment") -> None:
    """Print the verdict."""
    from gevaldi.verdicts.gate import claim_in_words, rows
    from gevaldi.verdicts.page import people_of
    from gevaldi.verdicts.sentences import sentences

    for note in found.notes:
        say(f"gevaldi: {note}")
    head, *others = sentences(found)
    tell(head)
    tell(f"Claim: {claim_in_words(found)}: {found.state}.")
    table = rows(found)
    widths = [max(len(row[column]) for row in table) for column in range(2)]
    for row in table:
        tell(f"  {row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]}")
    for sentence in others:
        tell(sentence)
    if people := people_of(found):
        for one in people.people:
            parts = [f"{one.answered:,} pictures"]
            parts += [f"{one.missed} of {one.controls.count} controls missed"] if one.controls.count else []
            parts += [f"{one.same} of {one.repeats.count} repeats alike"] if one.repeats.count else []
            tell(f"  {one.name or 'unnamed'}: {', '.join(parts)}")
        for sentence in people.sentences:
            tell(sentence)


def _write_files(found: "Verdict", chosen: dict[str, str | None]) -> None:
    """Write the files for gates.

    Raises:
        RunFolderError: one cannot be written.
    """
    from gevaldi.errors import RunFolderError
    from gevaldi.storage import local_path
    from gevaldi.verdicts.gate import as_junit, as_markdown
    from gevaldi.verdicts.record import as_json

    formats: dict[str, Any] = {"markdown": as_markdown, "junit": as_junit, "json": as_json}
    for name, target in chosen.items():
        if target:
            try:
                local_path(target).write_text(formats[name](found), encoding="utf-8")
            except OSError as error:
                raise RunFolderError(f"{target} cannot be written: {error.strerror or error}.") from error
            tell(f"{name}: {target}")
