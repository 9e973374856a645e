"""`gevaldi verdict --ask`: asks for labels on the terminal, and stores every answer before the next picture."""

import sys
from itertools import count
from typing import TYPE_CHECKING

from gevaldi.cli.words import tell
from gevaldi.errors import DataError
from gevaldi.verdicts.answers import CANNOT_TELL, NEITHER, WITHDRAWN
from gevaldi.verdicts.pictures import picture_of

if TYPE_CHECKING:
    from PIL.Image import Image

    from gevaldi.verdicts.assessment import Assessment, Item

WIDTH = 56  # most columns of a drawn picture
KEYS = {"n": NEITHER, "?": CANNOT_TELL}


def ask_for_labels(verdict: "Assessment", person: str = "", view: bool = False) -> None:
    """Ask until the claim is decided, the queue is empty, or the person stops. Intervals are not shown: they would sway answers.

    Args:
        verdict: takes the answers.
        person: who answers.
        view: whether to open each picture in the system's viewer, besides drawing it.
    """
    tell("Answer with the number of a class or its name; n neither, ? cannot tell, u undo, s skip for now, q stop.")
    answered: list[str] = []
    skipped: set[str] = set()
    for number in count(1):
        item = next((own for own in verdict.next() if own.id not in skipped), None)
        if item is None:
            break
        _show(verdict, item, number, view)
        while (answer := _read(item)) is not None:
            if answer == "u":
                _undo(verdict, answered, person)
                skipped.clear()
                break
            if answer == "s":
                skipped.add(item.id)
                break
            try:
                verdict.add({item.id: answer}, person)
            except DataError as error:
                tell(str(error))
                continue
            answered.append(item.id)
            break
        else:
            break
    tell(f"{len(answered):,} answers stored.")


def _undo(verdict: "Assessment", answered: list[str], person: str) -> None:
    if answered:
        verdict.add({answered.pop(): WITHDRAWN}, person)


def _read(item: "Item") -> str | None:
    """An answer: a class, or u or s; None to stop."""
    keys = {str(i): choice for i, choice in enumerate(item.choices, 1)} | KEYS
    try:
        line = input("> ").strip()
    except EOFError:
        return None
    if line == "q":
        return None
    return keys.get(line, line) or "s"


def _show(verdict: "Assessment", item: "Item", number: int, view: bool) -> None:
    tell(f"\n{number}. {item.id}")
    picture = picture_of(verdict.pool, item.place)
    if picture is not None:
        if sys.stdout.isatty():
            tell(drawn(picture))
        if view:
            picture.show()
    choices = "  ".join(f"[{i}] {choice}" for i, choice in enumerate(item.choices, 1))
    tell(f"{choices}  [n] neither  [?] cannot tell")


def drawn(picture: "Image", width: int = WIDTH) -> str:
    """A picture in coloured half blocks, two pixels one above the other in each character."""
    columns = min(width, max(picture.width, 28))
    lines = max(1, round(columns * picture.height / picture.width / 2))
    pixels = picture.convert("RGB").resize((columns, 2 * lines))

    def cell(x: int, y: int) -> str:
        upper, lower = pixels.getpixel((x, 2 * y)), pixels.getpixel((x, 2 * y + 1))
        return "\x1b[38;2;{};{};{}m\x1b[48;2;{};{};{}m▀".format(*upper, *lower)  # type: ignore[misc]

    return "\n".join("".join(cell(x, y) for x in range(columns)) + "\x1b[0m" for y in range(lines))
