"""The study as one folder of static files, `jspsych/`: the timeline, its data, and the pictures under names that say nothing."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

from gevaldi.errors import RunFolderError, SpecError
from gevaldi.files import write_whole
from gevaldi.studies.allocation import allocation
from gevaldi.studies.arms import Arms
from gevaldi.studies.plan import Plan

FOLDER, PICTURES, MANIFEST = "jspsych", "pictures", "pictures.json"
STATIC = resources.files("gevaldi.studies") / "static"
FILES = ("index.html", "timeline.js", "load.js", "study.css")
README = """\
index.html shows the study with jsPsych 8. Host this folder anywhere, and give each person a link: index.html?number=0&person=NAME,
index.html?number=1&person=NAME ... Numbers put people into arms in balanced blocks. Without one, the number is a hash of the person
that the platform names (PROLIFIC_PID, participant or workerId), or random.

jsPsych is loaded from unpkg.com, checked by its hashes. To host it too, put these files into a folder lib/ here:

    npm pack jspsych@8.3.0                                 dist/index.browser.min.js as lib/jspsych.js
    npm pack @jspsych/plugin-html-button-response@2.1.0    dist/index.browser.min.js as lib/plugin-html-button-response.js
    npm pack @jspsych/plugin-survey-text@2.1.1             dist/index.browser.min.js as lib/plugin-survey-text.js

At the end a person saves the answers as a file. On a platform that stores jsPsych's data, put its call into `finish` of load.js.
Read all files back with: gevaldi study RUN --results FILE
"""


@dataclass(frozen=True)
class Manifest:
    """The chosen pictures of each arm.

    Attributes:
        run: SHA-256 of the run's record.
        classifiers: the names of both.
        arms: for each arm its pictures: file, first, second, source and sha256.
        notes: sentences about the arms.
    """

    run: str
    classifiers: tuple[str, str]
    arms: dict[str, list[dict[str, str]]]
    notes: list[str]


def identity(plan: Plan, manifest: Manifest) -> str:
    """16 hexadecimal digits for the plan and its pictures: what people answered, exactly."""
    whole = [plan.model_dump(mode="json"), manifest.run, manifest.arms]
    return sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:16]


def write_pictures(arms: Arms, run: str, classifiers: tuple[str, str], folder: Path) -> Manifest:
    """Write the pictures of all arms and the list of them.

    Raises:
        RunFolderError: they cannot be written.
    """
    listed = dict[str, list[dict[str, str]]]()
    try:
        (folder / FOLDER / PICTURES).mkdir(parents=True, exist_ok=True)
        for arm, pictures in arms.pictures.items():
            listed[arm] = []
            for one in pictures:
                digest = sha256(one.content).hexdigest()
                file = f"{PICTURES}/{digest[:20]}.png"
                write_whole(folder / FOLDER / file, one.content)
                listed[arm].append({"file": file, "first": one.first, "second": one.second, "source": one.source, "sha256": digest})
        manifest = Manifest(run, classifiers, listed, arms.notes)
        write_whole(folder / MANIFEST, json.dumps(asdict(manifest), indent=1).encode())
    except OSError as error:
        raise RunFolderError(f"{folder} cannot be written: {error.strerror or error}.") from error
    return manifest


def read_manifest(folder: Path) -> Manifest:
    """The list of chosen pictures.

    Raises:
        SpecError: there is none, or it is damaged.
    """
    path = folder / MANIFEST
    try:
        own = json.loads(path.read_bytes())
        first, second = own.pop("classifiers")
        return Manifest(classifiers=(first, second), **own)
    except FileNotFoundError:
        raise SpecError(
            f"There is no study in {folder}: {MANIFEST} is missing. Choose its pictures with: gevaldi study FOLDER --plan"
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SpecError(f"{path} is damaged: {error}. Restore it, or delete it and give --plan again.") from None


def data_of(plan: Plan, manifest: Manifest) -> dict[str, Any]:
    """What the page of a study needs, and nothing that would tell names, truth or right answers."""
    assert plan.accuracies
    sides = ("first", "second")
    return {
        "id": identity(plan, manifest),
        "title": plan.title,
        "consent": plan.consent,
        "instructions": plan.instructions,
        "attention": [{"text": one.text, "choices": one.choices} for one in plan.attention],
        "accuracies": {side: f"{100 * getattr(plan.accuracies, side):.1f} %" for side in sides},
        "arms": [[{key: one[key] for key in ("file", *sides)} for one in pictures] for pictures in manifest.arms.values()],
        "allocation": [asdict(session) for session in allocation(plan, len(manifest.arms))],
    }


def export(plan: Plan, manifest: Manifest, folder: Path) -> Path:
    """Write the folder of static files and return it. Pictures are there already; files of `lib/` stay.

    Raises:
        SpecError: a picture is missing or was changed.
        RunFolderError: it cannot be written.
    """
    for one in (one for shown in manifest.arms.values() for one in shown):
        path = folder / FOLDER / one["file"]
        if not path.is_file() or sha256(path.read_bytes()).hexdigest() != one["sha256"]:
            raise SpecError(f"The picture {path} is missing or was changed. Restore it, or plan the study anew in another folder.")
    text = json.dumps(data_of(plan, manifest)).replace("<", "\\u003c")
    files: Sequence[tuple[str, bytes]] = [
        *((name, (STATIC / name).read_bytes()) for name in FILES),
        ("data.js", f"const STUDY = {text};\n".encode()),
        ("README.txt", README.encode()),
    ]
    try:
        for name, content in files:
            write_whole(folder / FOLDER / name, content)
    except OSError as error:
        raise RunFolderError(f"{folder / FOLDER} cannot be written: {error.strerror or error}.") from error
    return folder / FOLDER
