"""The plan of a study, `study.yaml`: written before the first person answers, and fixed from then on."""

from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import Field, ValidationError, field_validator, model_validator

from gevaldi.calls import explain_validation_error
from gevaldi.documents import TextFile
from gevaldi.errors import RunFolderError, SpecError
from gevaldi.files import write_whole
from gevaldi.settings import Settings

FILE = "study.yaml"
TEXT = TextFile("The plan", SpecError, "`gevaldi study FOLDER --plan` writes one into a folder without.")

ArmName = Literal["maximally different", "most probable", "typical disagreements", "random"]
ARMS: tuple[ArmName, ...] = get_args(ArmName)
Kind = Literal["choice changed", "chose the better"]
CHANGED: Kind = "choice changed"
BETTER: Kind = "chose the better"
MOST_PEOPLE = 5_000

CONSENT = """\
You are invited to a study on how people choose between two computer programs that classify pictures. It takes about five minutes.

Taking part is voluntary. You may stop at any time by closing this page; your answers are not stored then. At the end, your choices,
how sure you are, and the time you take are stored without your name.
"""
INSTRUCTIONS = """\
Two programs, A and B, say what a picture shows. Imagine that you have to use one of them.

First you see how often each was right, and choose one. Then you see some pictures, each with what A and B say it shows. Look at
each picture, and judge for yourself. Afterwards you choose again. You may keep your choice or change it.
"""


class Question(Settings):
    """The main question: a difference between two arms."""

    arm: ArmName = Field("maximally different", description="the arm in question")
    against: ArmName = Field("random", description="the arm it is compared with")
    outcome: Kind = Field(CHANGED, description="what is compared: a share of people")


class Accuracies(Settings):
    """What people are shown first."""

    first: float = Field(ge=0, le=1, description="accuracy of the first classifier")
    second: float = Field(ge=0, le=1, description="accuracy of the second classifier")
    source: str = Field(description="where they come from")


class Truth(Settings):
    """Which classifier is better, and how that is known; never shown to the people who answer."""

    better: Literal["first", "second"] = Field(description="the better classifier")
    source: str = Field(description="how that is known")


class AttentionCheck(Settings):
    """A question whose text says the answer."""

    text: str = Field(description="the question")
    choices: tuple[str, ...] = Field(min_length=2, max_length=9, description="its buttons")
    answer: str = Field(description="the right one")

    @model_validator(mode="after")
    def _is_a_choice(self) -> "AttentionCheck":
        if self.answer not in self.choices or len(set(self.choices)) < len(self.choices):
            raise ValueError(f"the answer {self.answer!r} must be one of the choices, and no choice may appear twice")
        return self


ATTENTION = AttentionCheck(
    text="This question shows whether you read the text. Whatever you think of the two programs, press the button “three”.",
    choices=("one", "two", "three", "four"),
    answer="three",
)


class Plan(Settings):
    """What a study asks of whom, and how its answers will be analysed."""

    title: str = Field("Which of two classifiers would you use?", description="title of the study, shown to everyone")
    arms: tuple[ArmName, ...] = Field(ARMS, description="sets of pictures; each person sees one of them, at random")
    pictures: int = Field(10, ge=1, le=200, description="pictures that each person sees")
    people: int = Field(160, ge=2, le=MOST_PEOPLE, description="people who answer to the end, in all arms together")
    question: Question = Field(Question(), description="the main question, decided by one test at the planned number of people")
    expected_share: float = Field(
        0.2, ge=0, le=1, description="the share expected in the arm compared with, for the power alone; it decides nothing"
    )
    seed: int = Field(0, description="of all that is random: pictures, arms, sides, orders")
    consent: str = Field(CONSENT, description="text that people agree to")
    instructions: str = Field(INSTRUCTIONS, description="text before the first choice")
    attention: tuple[AttentionCheck, ...] = Field((ATTENTION,), max_length=10, description="attention checks, before the pictures")
    most_failed: int = Field(
        0, ge=0, description="those who fail more checks than this, or reload the page after pictures, are left out"
    )
    accuracies: Accuracies | None = Field(None, description="accuracies that people see before the first choice, and their source")
    truth: Truth | None = Field(None, description="the better classifier, if it is known; people do not see it")

    @property
    def right_answers(self) -> list[int]:
        """The place of the right answer of each attention check among its choices."""
        return [check.choices.index(check.answer) for check in self.attention]

    @field_validator("arms")
    @classmethod
    def _each_once(cls, arms: tuple[ArmName, ...]) -> tuple[ArmName, ...]:
        if len(set(arms)) < len(arms):
            raise ValueError("an arm appears twice")
        return arms

    @model_validator(mode="after")
    def _can_answer_its_question(self) -> "Plan":
        asked = self.question
        if asked.arm == asked.against:
            raise ValueError("the main question compares an arm with itself; name two different arms")
        if missing := [arm for arm in (asked.arm, asked.against) if arm not in self.arms]:
            raise ValueError(
                f"the main question needs the arm {missing[0]!r}, which is not among the arms. Add it, or ask about others"
            )
        if asked.outcome == BETTER and self.truth is None:
            raise ValueError(f"the outcome {BETTER!r} needs `truth`: which classifier is better, and how that is known")
        if self.people < 2 * len(self.arms):
            raise ValueError(f"{self.people} people are too few for {len(self.arms)} arms: each needs two at least")
        return self


def plan_from(settings: Any, source: str) -> Plan:
    """A plan from its settings.

    Raises:
        SpecError: a setting is unknown or invalid.
    """
    if not isinstance(settings, dict):
        raise SpecError(f"{source} holds {type(settings).__name__}, but settings such as 'people: 160' were expected.")
    try:
        return Plan.model_validate(settings)
    except ValidationError as error:
        raise SpecError(
            f"In {source}: {explain_validation_error(error)} Its settings are {', '.join(Plan.model_fields)}."
        ) from None


def read_plan(path: Path) -> Plan:
    """The plan in a file.

    Raises:
        SpecError: it is missing, cannot be read, or is invalid.
    """
    return plan_from(TEXT.values(path), str(path))


class _Dumper(yaml.SafeDumper):
    """YAML with texts of several lines as they are."""


_Dumper.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)
)


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan as YAML, each setting below its description.

    Raises:
        RunFolderError: it cannot be written.
    """
    parts = []
    for name, value in plan.model_dump(mode="json").items():
        own = yaml.dump({name: value}, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=110)
        parts.append(f"# {Plan.model_fields[name].description}\n{own}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, "\n".join(parts).encode())
    except OSError as error:
        raise RunFolderError(f"{path} cannot be written: {error.strerror or error}.") from error
