"""The page of a study: the plan with its power, and what people chose, with the pictures that they saw."""

import base64
from pathlib import Path
from typing import Any

from gevaldi.names import told_apart
from gevaldi.reports.environment import environment, written
from gevaldi.studies.analysis import Analysis, Arm, Contrast
from gevaldi.studies.export import FOLDER, Manifest, identity
from gevaldi.studies.sentences import CAUTION, headline, main_sentence, notes, plan_sentences, points, power_rows, steps
from gevaldi.tables import as_csv

PAGE, TABLE = "study.html", "people.csv"


def write_page(folder: Path, manifest: Manifest, found: Analysis, began: int) -> Path:
    """Write `study.html`, and `people.csv` with a row for each person, and return the page's path.

    Args:
        folder: the folder of the study.
        manifest: its pictures.
        found: its result so far.
        began: how many people began on the served page.

    Raises:
        RunFolderError: they cannot be written.
    """
    frame = found.people()
    written(folder / TABLE, as_csv([*frame.columns], frame.to_numpy().tolist()))
    return written(folder / PAGE, render(folder, manifest, found, began))


def render(folder: Path, manifest: Manifest, found: Analysis, began: int) -> str:
    """The page as HTML."""
    plan, arms = found.plan, [*manifest.arms]
    return (
        environment()
        .get_template("study.html")
        .render(
            title=plan.title,
            names=told_apart(*manifest.classifiers),
            answered=len(found.outcomes),
            counted=len(found.counted),
            began=began,
            headline=headline(found),
            main=main_sentence(found.main),
            notes=notes(found),
            caution=CAUTION,
            rows=[_row(arm) for arm in found.arms],
            contrasts=[_contrast(one) for one in (found.main, *found.others)],
            truth=plan.truth,
            planned=plan_sentences(plan, arms),
            powers=power_rows(plan, plan.people // len(arms)),
            left_out=manifest.notes,
            plan=plan,
            identity=identity(plan, manifest),
            pictures={arm: [_picture(folder, one) for one in shown] for arm, shown in manifest.arms.items()},
            comments=[one.comment for one in found.counted if one.comment],
        )
    )


def _row(arm: Arm) -> dict[str, Any]:
    return {"arm": arm, "surer": steps(arm.surer)}


def _contrast(one: Contrast) -> dict[str, Any]:
    return {"arm": one.arm, "against": one.against, "outcome": points(one.outcome), "surer": steps(one.surer)}


def _picture(folder: Path, one: dict[str, str]) -> dict[str, Any]:
    content = (folder / FOLDER / one["file"]).read_bytes()
    return one | {"address": f"data:image/png;base64,{base64.b64encode(content).decode()}"}
