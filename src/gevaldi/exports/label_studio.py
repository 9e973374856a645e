"""Blind tasks for labellers."""

import json
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from gevaldi.exports._blind import NOT_CLASSES, blind_name
from gevaldi.exports.base import Export, Picture, Pictures
from gevaldi.folders import visible
from gevaldi.tables import write_csv

SERVED = "/data/local-files/?d="
IMAGE, AUDIO = ("image", "pictures", "png"), ("audio", "sounds", "flac")  # kind of a task, folder and ending of its file
FEW = 20  # classes that fit on a screen; of more, each task suggests two


def label_studio(pictures: Pictures, about: Export) -> Path:
    """Blind tasks for Label Studio: tasks.json in random order, config.xml with the classes, pictures/, and key.csv.

    If the pictures are sounds, sounds/ takes the place of pictures/, and a task plays a sound.
    A task shows a picture and nothing of its sample: no classifier, prediction, divergence or requested class. The labeller chooses
    a class, neither, or cannot tell. If there are more than 20 classes, each task also suggests two, in random order: the
    classifiers' answers, or if they agree, their answer and a random class. key.csv has the sample of each picture; do not show
    it to the labeller. Start Label Studio with LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and
    LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=FOLDER (absolute). Create a project with config.xml as its labelling interface, add a
    local storage for FOLDER/pictures (or sounds) without syncing it, and import tasks.json. The annotations come back through
    Label Studio's CSV export: `gevaldi export RUN --to imagefolder --label FILE.csv` reads its columns sample and label.
    """
    kind, folder, ending = AUDIO if about.rate else IMAGE
    (about.folder / folder).mkdir()
    names = list(dict.fromkeys(visible(name) for name in about.classes))
    key, tasks = [], []
    for picture in pictures:
        index, stage = picture.columns["index"], picture.columns["stage"]
        name = blind_name(about.origin, index, stage)
        (about.folder / folder / f"{name}.{ending}").write_bytes(picture.sound if about.rate else picture.png)
        key.append((name, index, stage))
        suggested = {"suggested": _suggested(picture, name, names)} if len(names) > FEW else {}
        tasks.append({"data": {kind: f"{SERVED}{folder}/{name}.{ending}", "sample": name, **suggested}})
    tasks.sort(key=lambda task: task["data"]["sample"])
    (about.folder / "tasks.json").write_text(json.dumps(tasks, indent=1), encoding="utf-8")
    (about.folder / "config.xml").write_text(interface(names, kind), encoding="utf-8")
    with (about.folder / "key.csv").open("w", encoding="utf-8", newline="") as file:
        write_csv(file, ["sample", "index", "stage"], sorted(key))
    return about.folder


def _suggested(picture: Picture, name: str, names: list[str]) -> str:
    """Two classes in an order that says nothing: both answers, or one and a class drawn by the picture's blind name."""
    stage, number = picture.columns["stage"], int(name[1:], 16)
    answers = [visible(picture.columns[f"{side}_{stage}"] or names[0]) for side in ("first", "second")]
    if answers[0] == answers[1]:
        others = [other for other in names if other != answers[0]]
        answers[1] = others[number // 2 % len(others)]
    return " or ".join(reversed(answers) if number % 2 else answers)


def interface(names: Sequence[str], kind: str = "image") -> str:
    """The labelling interface: the image or audio, and a choice of one class or none. Of many classes it shows those suggested."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, kind.capitalize(), name=kind, value=f"${kind}")
    if len(names) > FEW:
        ElementTree.SubElement(view, "Header", name="suggested", value="$suggested")
        ElementTree.SubElement(view, "Filter", name="filter", toName="label", minlength="0")
    choices = ElementTree.SubElement(view, "Choices", name="label", toName=kind, choice="single", showInLine="true")
    for name in dict.fromkeys((*names, *NOT_CLASSES)):
        ElementTree.SubElement(choices, "Choice", value=name)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"
