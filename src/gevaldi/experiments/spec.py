"""An experiment: models by their roles, settings that all comparisons share, and the comparisons."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from gevaldi.calls import explain_validation_error
from gevaldi.errors import SpecError, UnknownName
from gevaldi.folders import check_folder_names
from gevaldi.settings import Settings
from gevaldi.spec import Spec, find_beside, overridden, read_spec, spec_from, with_goal
from gevaldi.storage import local_path

FOLDER = resources.files("gevaldi.experiments")
SUFFIX = ".yaml"
TOGETHER = ("index.html", "paths.csv")  # files beside the folders of the runs
MOST_RUNS = 10_000


class Experiment(Settings):
    """Several comparisons that answer one question together."""

    title: str = Field(description="title of the experiment")
    question: str = Field("", description="question that the experiment answers")
    models: dict[str, str] = Field(
        default_factory=dict,
        description="models by their parts, which runs name; a user may replace them",
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="settings of a spec that all runs share")
    replicates: int = Field(
        1,
        ge=1,
        le=1000,
        description="repetitions of each run, with other starts; in names of networks, {replicate} counts them from 0",
    )
    runs: dict[str, dict[str, Any]] = Field(min_length=1, description="the settings of each run, by the name of its folder")

    @field_validator("runs")
    @classmethod
    def _called(cls, value: dict[str, Any]) -> dict[str, Any]:
        check_folder_names("run", value, TOGETHER)
        return value

    def specs(self, models: Mapping[str, str] | None = None, assignments: Sequence[str] = ()) -> dict[str, Spec]:
        """The spec of each run.

        Args:
            models: replacements for the experiment's models, by part.
            assignments: settings for all runs, such as `search.steps=50`.

        Raises:
            SpecError: a setting is unknown or invalid, or the experiment has no such part.
        """
        unknown = [part for part in models or {} if part not in self.models]
        if unknown:
            raise SpecError(str(UnknownName("part in this experiment", unknown[0], self.models)))
        if (count := len(self.runs) * self.replicates) > MOST_RUNS:
            raise SpecError(f"{self.title!r} has {count:,} runs with their replicates, but at most {MOST_RUNS:,} are allowed.")
        parts = self.models | dict(models or {})
        if self.replicates == 1:
            return {name: self._spec(name, parts, assignments) for name in self.runs}
        return {
            replicate_of(name, i): self._spec(name, parts, assignments, i) for name in self.runs for i in range(self.replicates)
        }

    def _spec(self, name: str, parts: Mapping[str, str], assignments: Sequence[str], replicate: int = 0) -> Spec:
        settings = deepcopy({"generator": "generator"} | self.settings | self.runs[name])
        shared, own = self.settings.get("search") or {}, self.runs[name].get("search") or {}
        settings["search"] = shared | own if isinstance(shared, dict) and isinstance(own, dict) else own or shared
        for assignment in assignments:
            overridden(settings, assignment)
        for role in ("first", "second", "generator"):
            model = parts.get(str(settings.get(role)), settings.get(role))
            settings[role] = model.replace("{replicate}", str(replicate)) if isinstance(model, str) else model
        if isinstance(seed := settings.get("seed", 0), int):
            settings["seed"] = seed + replicate
        return spec_from(with_goal(settings), f"run {name!r} of {self.title!r}")


def replicate_of(name: str, replicate: int) -> str:
    """The name of one replicate of a run."""
    return f"{name}-{replicate}"


def names(folder: Traversable = FOLDER) -> list[str]:
    """The names of the bundled experiments, or of the files in another folder of the package."""
    return sorted(file.name.removesuffix(SUFFIX) for file in folder.iterdir() if file.name.endswith(SUFFIX))


def text_of(name: str, folder: Traversable = FOLDER) -> str:
    """The text of a bundled file."""
    return (folder / f"{name}{SUFFIX}").read_text(encoding="utf-8").rstrip()


def read_experiment(given: str | Path) -> Experiment:
    """A bundled experiment, by name, or the experiment of a YAML or TOML file.

    Raises:
        SpecError: the name is unknown, or the file cannot be read.
    """
    if str(given) in names():
        path = Path(str(FOLDER / f"{given}{SUFFIX}"))
    elif (path := local_path(str(given))).suffix not in (SUFFIX, ".yml", ".toml"):
        raise SpecError(f"{UnknownName('experiment', str(given), names())} Your own must be a YAML or TOML file.")
    try:
        experiment = Experiment.model_validate(read_spec(path))
        for group in (experiment.settings, *experiment.runs.values()):
            find_beside(path, group)
        return experiment
    except ValidationError as error:
        raise SpecError(
            f"In {path}: {explain_validation_error(error)} An experiment has title, question, models, settings and runs."
        ) from None
