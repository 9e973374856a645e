"""The command `gevaldi card`: a section of a model card."""

from typing import Annotated

import typer

from gevaldi.cli.words import tell


def card(
    folder: Annotated[str, typer.Argument(help="the folder of a verdict, a comparison or regions", show_default=False)],
    out: Annotated[
        str | None, typer.Option(help="write it into a file instead of printing it", show_default=False, metavar="FILE")
    ] = None,
) -> None:
    """Print a section for the model card of the newer classifier, as the Hugging Face Hub shows it.

    Sentences, numbers with intervals, and what they rest on, in Markdown. Numbers on real pictures also stand in front of it as
    model-index, which the Hub reads. Examples:

    \b
      gevaldi card runs/gate --out README.md
      gevaldi card runs/demo
    """
    from gevaldi.errors import RunFolderError
    from gevaldi.integrations.card import card as card_of
    from gevaldi.storage import local_path

    text = card_of(folder)
    if out is None:
        tell(text)
        return
    try:
        local_path(out).write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunFolderError(f"{out} cannot be written: {error.strerror or error}.") from error
    tell(f"card: {out}")
