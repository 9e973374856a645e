"""`gevaldi verdict --ask`: asks for labels on the terminal, and stores every answer before the next picture."""

import getpass
import string
import sys
from typing import TYPE_CHECKING

from gevaldi.cli.words import tell
from gevaldi.errors import DataError, RunFolderError
from gevaldi.verdicts.answers import CANNOT_TELL, NEITHER, WITHDRAWN
from gevaldi.verdicts.pictures import file_of, picture_of

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

    from gevaldi.verdicts.assessment import Assessment, Item

WIDTH = 56  # most columns of a drawn picture
OTHERS = {"-": NEITHER, "?": CANNOT_TELL}
UNDO, SKIP, STOP = "/undo", "/skip", "/stop"


def ask_for_labels(verdict: "Assessment", person: str = "", view: bool = False) -> None:
    """Ask until the claim is decided, the queue is empty, or the person stops. Intervals are not shown: they would sway answers.

    Args:
        verdict: takes the answers.
        person: who answers; by default the user of this machine.
        view: whether to open each picture in the system's viewer, besides drawing it.
    """
    person = person or getpass.getuser()
    tell(f"Answer with a letter or the name of a class, - for neither, ? if you cannot tell. {UNDO}, {SKIP} for now, {STOP}.")
    answered: list[str] = []
    skipped: set[str] = set()
    while item := next((own for own in verdict.next(len(skipped) + 1) if own.id not in skipped), None):
        _show(verdict, item, len(answered) + 1, view)
        answer = _ask(verdict, item, person)
        if answer == STOP:
            break
        if answer == SKIP:
            skipped.add(item.id)
        elif answer == UNDO:
            skipped.clear()
            if answered:
                verdict.add({answered.pop(): WITHDRAWN}, person, "terminal")
        else:
            answered.append(item.id)
    tell(f"{len(answered):,} answers stored.")


def _ask(verdict: "Assessment", item: "Item", person: str) -> str:
    """Read an answer and store it; an answer that is no class is asked again. Returns it, or a command."""
    keys = dict(zip(string.ascii_lowercase, item.choices, strict=False)) | OTHERS
    doubted = ""
    while True:
        try:
            line = input("> ").strip()
        except EOFError:
            return STOP
        if line in (UNDO, SKIP, STOP):
            return line
        answer = keys.get(line, line)
        if line and answer not in (*item.choices, *OTHERS.values()) and line != doubted:
            tell(f"{line} is not among the choices. Type it again if the picture shows it.")
            doubted = line
            continue
        try:
            if line:
                verdict.add({item.id: answer}, person, "terminal")
                return answer
        except DataError as error:
            tell(str(error))


def _show(verdict: "Assessment", item: "Item", number: int, view: bool) -> None:
    tell(f"\n{number}. {item.id}")
    picture = picture_of(verdict.pool, item.place)
    if picture is not None:
        is_drawn = sys.stdout.isatty()
        if path := file_of(verdict.pool, item.place) or (None if is_drawn else _saved(verdict, item, picture)):
            tell(str(path))
        if is_drawn:
            tell(half_blocks(picture))
        if view:
            picture.show()
    choices = "  ".join(f"[{key}] {choice}" for key, choice in zip(string.ascii_lowercase, item.choices, strict=False))
    tell(f"{choices}  [-] neither  [?] cannot tell")


def _saved(verdict: "Assessment", item: "Item", picture: "Image") -> "Path | None":
    """The file in the verdict's folder to which a picture without a file of its own is written."""
    if verdict.folder is None:
        return None
    path = verdict.folder / "pictures" / f"{item.place}.png"
    try:
        path.parent.mkdir(exist_ok=True)
        picture.save(path)
    except OSError as error:
        raise RunFolderError(f"{path} cannot be written: {error.strerror or error}.") from error
    return path


def half_blocks(picture: "Image", width: int = WIDTH) -> str:
    """A picture in coloured half blocks, two pixels one above the other in each character."""
    columns = min(width, max(picture.width, 28))
    lines = max(1, round(columns * picture.height / picture.width / 2))
    pixels = picture.convert("RGB").resize((columns, 2 * lines))

    def cell(x: int, y: int) -> str:
        upper, lower = pixels.getpixel((x, 2 * y)), pixels.getpixel((x, 2 * y + 1))
        return "\x1b[38;2;{};{};{}m\x1b[48;2;{};{};{}m▀".format(*upper, *lower)  # type: ignore[misc]

    return "\n".join("".join(cell(x, y) for x in range(columns)) + "\x1b[0m" for y in range(lines))
