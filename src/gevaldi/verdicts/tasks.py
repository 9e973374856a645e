"""The pictures to label next as blind tasks for Label Studio, whose export `read_answers` reads."""

import json
from pathlib import Path
from typing import Any

from gevaldi.errors import RunFolderError, SpecError
from gevaldi.exports.label_studio import AUDIO, FEW, IMAGE, SERVED, interface
from gevaldi.files import write_whole
from gevaldi.folders import visible
from gevaldi.verdicts.assessment import Assessment, Item
from gevaldi.verdicts.labels import blind_name
from gevaldi.verdicts.pictures import picture_of, sound_of

FOLDER = "label-studio"


def write_tasks(verdict: Assessment, folder: Path, count: int) -> Path:
    """Write the next pictures in their order as tasks.json, with config.xml and pictures/, into label-studio in a folder.

    Of recordings, sounds/ takes the place of pictures/.
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
    kind, subfolder, ending = AUDIO if verdict.pool.sound else IMAGE
    try:
        (path.parent / subfolder).mkdir(parents=True, exist_ok=True)
        for item in items:
            file = path.parent / subfolder / f"{blind_name(item.id)}.{ending}"
            if verdict.pool.sound:
                file.write_bytes(sound_of(verdict.pool, item.place))
            elif picture := picture_of(verdict.pool, item.place):
                picture.save(file)
        write_whole(path.parent / "config.xml", interface(names, kind).encode())
        tasks = [_task(item, {kind: f"{SERVED}{subfolder}/{blind_name(item.id)}.{ending}"}, len(names) > FEW) for item in items]
        write_whole(path, json.dumps(tasks, indent=1).encode())
    except OSError as error:
        raise RunFolderError(f"{path.parent} cannot be written: {error.strerror or error}.") from error
    return path


def _task(item: Item, file: dict[str, str], suggests: bool) -> dict[str, Any]:
    """A task; `picture` is the first column by which labels are matched to pictures."""
    suggested = {"suggested": " or ".join(sorted(map(visible, item.choices)))} if suggests else {}
    return {"data": {**file, "picture": blind_name(item.id), **suggested}}
