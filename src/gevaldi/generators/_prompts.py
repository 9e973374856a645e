"""Prompts for generators that read text, with the classes that they mean."""

import re

from gevaldi.documents import TextFile
from gevaldi.errors import DataError
from gevaldi.label_files import ilsvrc_labels
from gevaldi.models import Label
from gevaldi.storage import local_path
from gevaldi.taxonomy import registry

FILE = TextFile("The file of prompts", DataError)
PLACE = "{}"  # in a template, where the class's name goes
WORDNET_ID = re.compile(r"n\d{8}")


def prompts_of(given: str) -> list[tuple[Label, str]]:
    """Conditions with their prompts: a template filled with the 1,000 classes of ILSVRC, or a text file of one prompt a line.

    A line may begin with the class that is meant and a tab: a WordNet id of ImageNet's hierarchy, or a name.

    Raises:
        DataError: it is neither, or a line of the file cannot be used.
    """
    if PLACE in given:
        return [(label, given.replace(PLACE, label.name)) for label in ilsvrc_labels()]
    path = local_path(given)
    if not path.is_file():
        raise DataError(
            f"prompts={given} is neither a template, in which {PLACE} stands for the name of a class (a photo of a {PLACE}), nor a "
            "file with one prompt a line."
        )
    lines = FILE.text(path).splitlines()
    found = [_prompt(line.strip(" "), f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not found:
        raise DataError(f"{path} holds no prompts; one a line was expected.")
    return found


def _prompt(line: str, where: str) -> tuple[Label, str]:
    before, tab, after = line.partition("\t")
    meant, prompt = before.strip(), (after if tab else before).strip()
    if not (meant and prompt):
        raise DataError(f"{where} is {line!r}; a prompt was expected, or a class, a tab and a prompt.")
    return _label(meant, where), prompt


def _label(meant: str, where: str) -> Label:
    if not WORDNET_ID.fullmatch(meant):
        return Label(meant)
    taxonomy = registry.build("ilsvrc")
    if meant not in taxonomy.hypernyms:
        raise DataError(f"{where}: {meant} is no WordNet id of ImageNet's hierarchy. Give a class of it, or a name.")
    return Label(taxonomy.name(meant), meant)
