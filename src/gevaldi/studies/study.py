"""A study in the folder of a run: its plan, its pictures, its results, and what they show. Needs no torch."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.errors import DataError, SpecError
from gevaldi.measures.evaluation import Evaluation
from gevaldi.names import full_name, plain
from gevaldi.runs.store.run import Run
from gevaldi.spec import differences
from gevaldi.storage import location
from gevaldi.studies.analysis import Analysis, analyse, outcome_of
from gevaldi.studies.arms import arms_of
from gevaldi.studies.export import Manifest, data_of, export, identity, read_manifest, write_pictures
from gevaldi.studies.plan import FILE, Plan, plan_from, read_plan, write_plan
from gevaldi.studies.results import Answers, Row, answers_of, read_results
from gevaldi.studies.sentences import plan_sentences, sentences
from gevaldi.studies.store import Store

if TYPE_CHECKING:
    import pandas as pd

SIDES = ("first", "second")
INSIDE = "study"  # the folder of the study, in that of the run


@dataclass(frozen=True, repr=False)
class Study:
    """A planned study.

    Attributes:
        folder: the folder of the study.
        plan: its plan.
        manifest: its pictures.
    """

    folder: Path
    plan: Plan
    manifest: Manifest

    @classmethod
    def open(cls, folder: str | Path) -> "Study":
        """The study in the folder of a run.

        Raises:
            SpecError: there is none, or its plan or pictures were changed after the first person answered.
        """
        own = _folder(folder)
        plan, manifest = read_plan(own / FILE), read_manifest(own)
        _check_fixed(own, plan, manifest)
        _check_question(plan, manifest.arms, manifest.notes)
        return cls(own, plan, manifest)

    @property
    def id(self) -> str:
        """The identity of its plan and pictures."""
        return identity(self.plan, self.manifest)

    @property
    def arms(self) -> list[str]:
        """The arms that have pictures."""
        return [*self.manifest.arms]

    @property
    def data(self) -> dict[str, Any]:
        """What its page knows: texts, pictures, and the arm, the sides and the order of each number."""
        return data_of(self.plan, self.manifest)

    @property
    def store(self) -> Store:
        """Its results on disk."""
        return Store(self.folder)

    @property
    def sentences(self) -> list[str]:
        """The plan and its power, and the result if there is one."""
        found = self.analysis()
        return sentences(found) if found.outcomes else [*plan_sentences(self.plan, self.arms), *self.manifest.notes]

    def __repr__(self) -> str:
        return f"Study({len(self.arms)} arms, {self.store.count()} of {self.plan.people} people, {str(self.folder)!r})"

    def export(self) -> Path:
        """Write the folder of static files for jsPsych, and return it.

        Raises:
            RunFolderError: it cannot be written.
        """
        return export(self.plan, self.manifest, self.folder)

    def answers(self, session: Sequence[Row]) -> Answers | None:
        """The answers of a session of this study; None if it did not reach the end."""
        found = answers_of(session, [len(check.choices) for check in self.plan.attention])
        return found if found is None or found.study == self.id else None

    def add(self, session: Sequence[Row], source: str) -> bool:
        """Store the result of a session that reached the end. False if its person has one.

        Raises:
            DataError: it is unfinished, or belongs to another study.
            RunFolderError: it cannot be stored.
        """
        found = self.answers(session)
        if found is None:
            raise DataError("These answers are unfinished, or belong to another study.")
        return self.store.add(found.person, session, source, self.id, self.plan.model_dump(mode="json"))

    def read(self, files: Iterable[str | Path]) -> list[str]:
        """Take over results from files of jsPsych, and say what was in each.

        Raises:
            DataError: a file cannot be read.
            RunFolderError: results cannot be stored.
        """
        lines = []
        for path in map(Path, files):
            sessions = read_results(path)
            ended = [session for session in sessions if self.answers(session)]
            fresh = sum(self.add(session, path.name) for session in ended)
            foreign = sum(session[0]["study"] != self.id for session in sessions)
            lines.append(_read_in_words(path.name, fresh, len(ended) - fresh, foreign, len(sessions) - len(ended) - foreign))
        return lines

    def analysis(self) -> Analysis:
        """The result so far, as the plan says.

        Raises:
            RunFolderError: the results cannot be read.
        """
        found = [self.answers(session) for session in self.store.results()]
        outcomes = [outcome_of(one, self.plan, self.arms) for one in found if one]
        return analyse(self.plan, outcomes, self.arms)

    def frame(self) -> "pd.DataFrame":
        """One row for each arm, with estimates and intervals."""
        return self.analysis().frame()

    def report(self) -> Path:
        """Write the page and return its path.

        Raises:
            RunFolderError: it cannot be written.
        """
        from gevaldi.studies.page import write_page

        return write_page(self.folder, self.manifest, self.analysis(), self.store.began())


def plan_study(folder: str | Path, **settings: Any) -> Study:
    """Plan a study of a run: write `study.yaml` if there is none, choose the pictures, and export the page.

    Until the first person has answered, the pictures are chosen anew from the plan as it is in the file.

    Args:
        folder: the folder of a comparison.
        settings: settings of a new plan, such as `people=80`.

    Raises:
        SpecError: a setting is invalid, the plan exists or has no accuracies, or the main question has no pictures.
        RunFolderError, DataError: the run cannot be read, or the study cannot be written.
    """
    own, run = _folder(folder), Run.open(location(str(folder)))
    if (own / FILE).exists() and settings:
        raise SpecError(
            f"{own / FILE} exists, so {', '.join(settings)} cannot be given. Edit that file before the first person answers, and "
            "give --plan again; or delete it for a new plan."
        )
    if not (own / FILE).exists():
        write_plan(_new_plan(run, settings), own / FILE)
    plan = read_plan(own / FILE)
    if plan.accuracies is None:
        raise SpecError(
            "The run has no real pictures of known classes, so it knows no accuracies to show to people. Write them and their "
            f"source into {own / FILE}, as accuracies: {{first: 0.97, second: 0.98, source: test set}}, and give --plan again."
        )
    if Store(own).fixed():
        return _exported(Study.open(folder))
    names = run.record["models"]
    both = (names["first"]["name"], names["second"]["name"])
    chosen = arms_of(run, plan)
    _check_question(plan, chosen.pictures, chosen.notes)
    return _exported(Study(own, plan, write_pictures(chosen, run.digest, both, own)))


def _exported(study: Study) -> Study:
    study.export()
    return study


def _new_plan(run: Run, settings: dict[str, Any]) -> Plan:
    """A plan with what the run knows: both accuracies on its real pictures, and which one is better, if they show it."""
    found, known = Evaluation.of(run.record), dict[str, Any]()
    if found and found.known:
        where = f"{found.known:,} real pictures, {plain(full_name(found.name))}"
        known["accuracies"] = {side: found.sides[side]["right"] / found.known for side in SIDES} | {"source": where}
        if found.better:
            known["truth"] = {"better": found.better, "source": f"it is right more often on {where}."}
    return plan_from(known | settings, "the options")


def _folder(folder: str | Path) -> Path:
    """The folder of the study of a run.

    Raises:
        SpecError: the run is not on this machine.
    """
    own = location(str(folder))
    if not isinstance(own, Path):
        raise SpecError(
            f"{folder} is not on this machine. A study stores its results with SQLite, which needs a local folder: copy the run."
        )
    return own / INSIDE


def _check_question(plan: Plan, arms: Container[str], notes: Sequence[str]) -> None:
    """Check that the main question has pictures.

    Raises:
        SpecError: one of its arms has none.
    """
    for arm in (plan.question.arm, plan.question.against):
        if arm not in arms:
            why = " ".join(note for note in notes if f"“{arm}”" in note)
            raise SpecError(
                f"The main question needs the arm “{arm}”, which has no pictures. {why} Or ask about other arms in the plan."
            )


def _check_fixed(folder: Path, plan: Plan, manifest: Manifest) -> None:
    """Check that plan and pictures are those that the first person answered.

    Raises:
        SpecError: they are not; the message says what to do.
    """
    fixed = Store(folder).fixed()
    if fixed is None or fixed[0] == identity(plan, manifest):
        return
    changed = differences(plan.model_dump(mode="json"), fixed[1])
    what = "; ".join(text.replace(" there", " when people began").replace(" here", " now") for text in changed)
    raise SpecError(
        f"The {'plan' if changed else 'list of pictures'} was changed after the first person answered"
        f"{f' ({what})' if changed else ''}. Restore it in {folder}, so that the results belong to it; for another study, "
        "move this folder away and give --plan again."
    )


def _read_in_words(name: str, fresh: int, known: int, foreign: int, unfinished: int) -> str:
    parts = [f"{fresh:,} new {'person' if fresh == 1 else 'people'}"]
    parts += [f"{known:,} known before"] if known else []
    parts += [f"{unfinished:,} who did not finish"] if unfinished else []
    parts += [f"{foreign:,} of another study or plan, left out"] if foreign else []
    return f"{name}: {', '.join(parts)}."
