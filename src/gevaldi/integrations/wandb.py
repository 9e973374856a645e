"""Weights & Biases: numbers, a table of intervals, pictures with captions, and the page and the record as an artefact."""

from typing import TYPE_CHECKING

from gevaldi.errors import SpecError
from gevaldi.integrations.contents import GROUP, check_installed
from gevaldi.integrations.results import Source, contents_of

if TYPE_CHECKING:
    import wandb


def log(source: Source, *, step: int | None = None, run: "wandb.Run | None" = None) -> None:
    """Log a result to a run of Weights & Biases, which may be offline.

    Numbers are called gevaldi/accuracy/difference, gevaldi/accuracy/difference_low, gevaldi/accuracy/difference_high and so on.

    Args:
        source: a verdict, a comparison, regions, or the folder of one.
        step: of the numbers; by default the next one of the run.
        run: the run; by default the active one.

    Raises:
        MissingExtra: wandb is not installed.
        SpecError: no run is active.
        GevaldiError: the result cannot be read.
    """
    check_installed("wandb")
    import wandb

    run = run or wandb.run
    if run is None:
        raise SpecError("No run of Weights & Biases is active. Begin one before: wandb.init(project='...', mode='offline').")
    contents = contents_of(source)
    numbers = [(one.words, *(n if n == n else None for n in (one.value, one.low, one.high))) for one in contents.metrics]
    table = wandb.Table(columns=["quantity", "value", "low", "high"], data=[list(row) for row in numbers])
    pictures = {
        f"{GROUP}/{group}": [wandb.Image(one.image, caption=one.caption) for one in some] for group, some in contents.groups()
    }
    run.log({**contents.numbers(), f"{GROUP}/table": table, **pictures}, step=step)
    run.config.update({GROUP: contents.facts}, allow_val_change=True)
    artifact = wandb.Artifact(f"{GROUP}-{run.id}", type="report")
    for name, text in contents.files.items():
        with artifact.new_file(name, encoding="utf-8") as file:
            file.write(text)
    run.log_artifact(artifact)
