"""The page of a study: the plan with its power, and what people chose, with the pictures that they saw."""

import base64
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.images import size_of
from gevaldi.names import told_apart
from gevaldi.reports.environment import environment, written
from gevaldi.studies.analysis import Analysis, Arm, Contrast
from gevaldi.studies.export import FOLDER
from gevaldi.studies.sentences import CAUTION, headline, main_sentence, notes, plan_sentences, points, power_rows, steps
from gevaldi.tables import as_csv

if TYPE_CHECKING:
    from gevaldi.studies.study import Study

PAGE, TABLE = "study.html", "people.csv"
SMALL = 64  # pixels, up to which a picture is shown with sharp ones


def write_page(study: "Study") -> Path:
    """Write `study.html`, and `people.csv` with a row for each person, and return the page's path.

    Raises:
        RunFolderError: they cannot be written.
    """
    found = study.analysis()
    frame = found.people()
    written(study.folder / TABLE, as_csv([*frame.columns], frame.to_numpy().tolist()))
    return written(study.folder / PAGE, render(study, found))


def render(study: "Study", found: Analysis) -> str:
    """The page as HTML."""
    plan, arms = study.plan, study.arms
    return (
        environment()
        .get_template("study.html")
        .render(
            title=plan.title,
            names=told_apart(*study.manifest.classifiers),
            answered=len(found.outcomes),
            counted=len(found.counted),
            began=study.store.began(),
            headline=headline(found),
            main=main_sentence(found.main),
            notes=notes(found),
            caution=CAUTION,
            rows=[_row(arm) for arm in found.arms],
            contrasts=[_contrast(one) for one in (found.main, *found.others)],
            truth=plan.truth,
            planned=plan_sentences(plan, arms),
            powers=power_rows(plan, plan.people // len(arms)),
            left_out=study.manifest.notes,
            plan=plan,
            identity=study.id,
            pictures={arm: [_picture(study.folder, one) for one in shown] for arm, shown in study.manifest.arms.items()},
            comments=[one.comment for one in found.counted if one.comment],
        )
    )


def _row(arm: Arm) -> dict[str, Any]:
    return {"arm": arm, "surer": steps(arm.surer)}


def _contrast(one: Contrast) -> dict[str, Any]:
    return {"arm": one.arm, "against": one.against, "outcome": points(one.outcome), "surer": steps(one.surer)}


def _picture(folder: Path, one: dict[str, str]) -> dict[str, Any]:
    content = (folder / FOLDER / one["file"]).read_bytes()
    small = max(size_of(content, one["file"])) <= SMALL
    return one | {"address": f"data:image/png;base64,{base64.b64encode(content).decode()}", "small": small}
