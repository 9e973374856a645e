"""The pictures to label next as blind tasks for Label Studio, whose export `read_answers` reads."""

import json
from pathlib import Path
from typing import Any

from gevaldi.errors import RunFolderError, SpecError
from gevaldi.exports.label_studio import FEW, SERVED, interface
from gevaldi.files import write_whole
from gevaldi.folders import visible
from gevaldi.verdicts.assessment import Assessment, Item
from gevaldi.verdicts.labels import blind_name
from gevaldi.verdicts.pictures import picture_of

FOLDER = "label-studio"


def write_tasks(verdict: Assessment, folder: Path, count: int) -> Path:
    """Write the next pictures in their order as tasks.json, with config.xml and pictures/, into label-studio in a folder.

    Nothing in these files depends on which classifier is the old one: classes are sorted by name. Pictures have blind names. Of
    more than 20 classes, each task suggests those that classifiers name. Returns the path of tasks.json.

    Raises:
        SpecError: the pool has predictions and no pictures.
        DataError: a picture cannot be read.
        RunFolderError: a file cannot be written.
    """
    if verdict.pool.pictures is None:
        raise SpecError("Tasks for Label Studio need the pictures, and there are only tables. Name them: --pool folder:DIR.")
    items, path = verdict.next(count), folder / FOLDER / "tasks.json"
    names = sorted({visible(label.name) for label in verdict.pool.classes}, key=lambda name: (name.casefold(), name))
    try:
        (path.parent / "pictures").mkdir(parents=True, exist_ok=True)
        for item in items:
            if picture := picture_of(verdict.pool, item.place):
                picture.save(path.parent / "pictures" / f"{blind_name(item.id)}.png")
        write_whole(path.parent / "config.xml", interface(names).encode())
        write_whole(path, json.dumps([_task(item, len(names) > FEW) for item in items], indent=1).encode())
    except OSError as error:
        raise RunFolderError(f"{path.parent} cannot be written: {error.strerror or error}.") from error
    return path


def _task(item: Item, suggests: bool) -> dict[str, Any]:
    """A task; `picture` is the first column by which labels are matched to pictures."""
    name = blind_name(item.id)
    suggested = {"suggested": " or ".join(sorted(map(visible, item.choices)))} if suggests else {}
    return {"data": {"image": f"{SERVED}pictures/{name}.png", "picture": name, **suggested}}
