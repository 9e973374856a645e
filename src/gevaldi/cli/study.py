"""The command `gevaldi study`: whether pictures change which of two classifiers people choose."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gevaldi.cli.words import tell

if TYPE_CHECKING:
    from gevaldi.studies.study import Study

PORT = 8766  # beside that of gevaldi label


def study(
    folder: Annotated[str, typer.Argument(help="the folder of a comparison", show_default=False)],
    plan: Annotated[bool, typer.Option("--plan", help="write study.yaml, choose the pictures, and export the study")] = False,
    people: Annotated[int | None, typer.Option(help="people in all arms together, of a new plan", show_default="160")] = None,
    pictures: Annotated[int | None, typer.Option(help="pictures for each person, of a new plan", show_default="10")] = None,
    seed: Annotated[int | None, typer.Option(help="of all that is random, of a new plan", show_default="0")] = None,
    results: Annotated[
        list[str] | None, typer.Option(help="results of jsPsych, CSV or JSON; may be repeated", metavar="FILE")
    ] = None,
    serve: Annotated[bool, typer.Option("--serve", help="show the study to people on this machine")] = False,
    port: Annotated[int, typer.Option(min=1, max=65_535, help="for --serve")] = PORT,
) -> None:
    """Study with people whether maximally different samples change which of two classifiers they choose.

    People choose from accuracies alone, look at pictures of one arm, and choose again. The plan is written first, with its power,
    and is fixed once the first person has answered. Examples:

    \b
      gevaldi study runs/demo --plan --people 160
      gevaldi study runs/demo --serve
      gevaldi study runs/demo --results answers.csv
    """
    from gevaldi.errors import SpecError
    from gevaldi.studies.study import Study, plan_study

    given = {"people": people, "pictures": pictures, "seed": seed}
    settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if settings and not plan:
        raise SpecError(f"--{', --'.join(settings)} belongs to a new plan: give --plan too.")
    found = plan_study(folder, **settings) if plan else Study.open(folder)
    for line in found.read(results or ()):
        tell(line)
    if serve:
        _serve(found, port)
    for sentence in found.sentences:
        tell(sentence)
    if plan:
        tell(f"plan:   {found.folder / 'study.yaml'}")
        tell(f"export: {found.folder / 'jspsych'}")
    tell(f"report: {found.report()}")


def _serve(found: "Study", port: int) -> None:
    from gevaldi.studies.serve import serve

    found.export()

    def describe() -> None:
        tell(f"Each person who opens http://127.0.0.1:{port}/ takes part. Results are stored as they come; Ctrl-C ends it.")
        tell(f"Preview, which stores nothing: http://127.0.0.1:{port}/?number=0")

    serve(found, port, describe)
