"""A data set of FiftyOne."""

import json
from pathlib import Path
from typing import Any

from gevaldi.exports._json import finite_columns, write_list
from gevaldi.exports._pictures import write_picture
from gevaldi.exports.base import Export, Picture, Pictures

PREDICTED = ("first", "second")


def fiftyone(pictures: Pictures, about: Export) -> Path:
    """A folder for FiftyOne: data/ with the pictures, samples.json and metadata.json.

    Each picture has three classifications: first and second hold the classifiers' predictions, label the class under which it is
    filed. Its tags are the order, the stage and the kind of change; every other column is a field.
    Open it with fiftyone.Dataset.from_dir(FOLDER, dataset_type=fiftyone.types.FiftyOneDataset).
    """
    write_list(about.folder / "samples.json", (_sample(picture, about) for picture in pictures), '{"samples": [', "]}")
    described = {"name": about.spec.fingerprint, "info": {"classes": list(about.classes), "command": about.record.get("command")}}
    (about.folder / "metadata.json").write_text(json.dumps(described, indent=2), encoding="utf-8")
    return about.folder


def _sample(picture: Picture, about: Export) -> dict[str, Any]:
    columns = picture.columns
    flipped = f"flipped {columns['flipped']}" if columns["flipped"] else None
    fields = finite_columns({name: value for name, value in columns.items() if name != "label"})
    return {
        "filepath": write_picture(picture, about, "data"),
        "tags": [tag for tag in (columns["order"], columns["stage"], flipped, columns["shift"]) if tag],
        "label": _classification(columns["label"]),
        **{side: _classification(columns[f"{side}_{columns['stage']}"], _sure(picture, side)) for side in PREDICTED},
        **fields,
    }


def _sure(picture: Picture, side: str) -> float | None:
    probability: float | None = picture.columns[f"{side}_{picture.columns['stage']}_probability"]
    return probability


def _classification(name: str | None, confidence: float | None = None) -> dict[str, Any] | None:
    """A class as a FiftyOne classification."""
    if name is None:
        return None
    return {"_cls": "Classification", "label": name} | ({} if confidence is None else {"confidence": confidence})
