"""Tasks for annotators."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from gevaldi.exports._json import finite_columns, write_list
from gevaldi.exports._pictures import write_picture
from gevaldi.exports.base import Export, Picture, Pictures
from gevaldi.folders import visible

SERVED = "/data/local-files/?d="
EXACT = 2**53  # above it a browser rounds whole numbers


def label_studio(pictures: Pictures, about: Export) -> Path:
    """Tasks for Label Studio: tasks.json, config.xml with the classes to choose from, and the pictures in pictures/.

    Each task shows both classifiers' classes as predictions, from which an annotator can start. Start Label Studio with
    LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED=true and LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT=FOLDER (absolute). Create a project
    with config.xml as its labelling interface, add a local storage for FOLDER/pictures without syncing it, and import tasks.json.
    The annotations come back through Label Studio's CSV export: `gevaldi export RUN --to imagefolder --label FILE.csv` reads its
    columns index, stage and label.
    """
    names = {name: visible(name) for name in about.classes}
    write_list(about.folder / "tasks.json", (_task(picture, about, names) for picture in pictures))
    (about.folder / "config.xml").write_text(_config(list(dict.fromkeys(names.values()))), encoding="utf-8")
    return about.folder


def _config(names: list[str]) -> str:
    """The labelling interface: the picture and a choice of one class."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name="image", value="$image")
    if len(names) > 20:
        ElementTree.SubElement(view, "Filter", name="filter", toName="label", minlength="0")
    choices = ElementTree.SubElement(view, "Choices", name="label", toName="image", choice="single", showInLine="true")
    for name in names:
        ElementTree.SubElement(choices, "Choice", value=name)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def _task(picture: Picture, about: Export, names: dict[str, str]) -> dict[str, Any]:
    columns = finite_columns(picture.columns)
    shown = {key: str(value) if isinstance(value, int) and abs(value) > EXACT else value for key, value in columns.items()}
    filed = {"filed_under": shown.pop("label")}  # what people choose is called label
    stage = picture.columns["stage"]
    predictions = [
        _prediction(side, columns[f"{side}_{stage}"], columns.get(f"{side}_{stage}_probability"), names)
        for side in ("first", "second")
        if f"{side}_{stage}" in columns
    ]
    return {"data": {"image": SERVED + write_picture(picture, about, "pictures"), **shown, **filed}, "predictions": predictions}


def _prediction(side: str, name: str, probability: float | None, names: dict[str, str]) -> dict[str, Any]:
    chosen = {"choices": [names.get(name, visible(name))]}
    result = {"id": side, "from_name": "label", "to_name": "image", "type": "choices", "value": chosen}
    return {"model_version": side, "score": probability, "result": [result]}
