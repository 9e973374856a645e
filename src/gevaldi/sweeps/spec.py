"""A sweep: every pair of N classifiers, under several divergences and λ, as one spec."""

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from importlib import resources
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from gevaldi.calls import Call, explain_validation_error
from gevaldi.errors import SpecError, UnknownName
from gevaldi.experiments.spec import SUFFIX, names
from gevaldi.folders import avoid_reserved, in_path
from gevaldi.measures.sweeps import exactly
from gevaldi.names import OBJECT, full_name
from gevaldi.quoting import split_unquoted
from gevaldi.settings import Settings
from gevaldi.spec import Spec, find_beside, overridden, read_spec, spec_from, with_goal
from gevaldi.storage import local_path

if TYPE_CHECKING:
    from gevaldi.divergences.base import Traits

FOLDER = resources.files("gevaldi.sweeps")
FILES = (SUFFIX, ".yml", ".toml")
OWN = {  # settings of a spec that a sweep replaces by its own
    "first": "classifiers",
    "second": "classifiers",
    "divergence": "divergences",
    "prior_weight": "prior_weights",
    "first_classes": "classes",
    "second_classes": "classes",
    "generator": "generator",
    "orders": "orders",
}
MOST_CLASSIFIERS, MOST_PAIRS = 1_000, 10_000


class Sweep(Settings):
    """All pairs of several classifiers, under every divergence and every λ."""

    title: str = Field("", description="title of the sweep")
    question: str = Field("", description="question that the sweep answers")
    classifiers: dict[str, str] = Field(description="a list of classifiers, or {NAME: SOURCE:NAME} to rename them")
    generator: str = Field(description="the generator, for example bundled:mnist-vae")
    divergences: tuple[str, ...] = Field(
        ("kl",), min_length=1, max_length=100, description="divergences to maximise, one after another"
    )
    prior_weights: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (0.0,), min_length=1, max_length=100, description="λ of equation 3, one after another"
    )
    orders: Literal["both", "forward", "reverse"] = Field(
        "both", description="both fill the matrix; for a symmetric divergence one order suffices, and only that is searched"
    )
    classes: dict[str, Any] = Field(
        default_factory=dict, description="classes of a classifier's labels, if ids do not identify them: {NAME: {label: class}}"
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="settings of a spec that all pairs share")

    @field_validator("classifiers", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, Sequence | Mapping) and len(value) > MOST_CLASSIFIERS:
            raise ValueError(f"{len(value):,} were given; a sweep takes at most {MOST_CLASSIFIERS:,}")
        if isinstance(value, str | bytes) or not isinstance(value, Sequence) or not all(isinstance(v, str) for v in value):
            return value
        if twice := [name for name in value if value.count(name) > 1]:
            raise ValueError(f"{full_name(twice[0])} is named twice; each is compared with all others, so once is enough")
        return dict(zip(short_names(value), value, strict=True))

    @field_validator("classifiers")
    @classmethod
    def _several(cls, value: dict[str, str]) -> dict[str, str]:
        if len(value) < 2:
            raise ValueError(f"{len(value)} classifier was given; a sweep needs at least two, and compares every pair")
        twice = [name for name in value.values() if [*value.values()].count(name) > 1]
        if twice:
            raise ValueError(f"{full_name(twice[0])} is named twice; each is compared with all others, so once is enough")
        folders = [in_path(name).casefold() for name in value]
        alike = [name for name, folder in zip(value, folders, strict=True) if folders.count(folder) > 1]
        if alike:
            raise ValueError(f"{' and '.join(map(full_name, alike))} give the same folder name; rename one of them")
        return value

    @field_validator("divergences", "prior_weights", mode="before")
    @classmethod
    def _as_tuple(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str | int | float) else value

    @field_validator("divergences", "prior_weights")
    @classmethod
    def _each_once(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(value))

    @field_validator("classes")
    @classmethod
    def _known(cls, value: dict[str, Any], found: Any) -> dict[str, Any]:
        unknown = [name for name in value if name not in found.data.get("classifiers", value)]
        if unknown:
            raise ValueError(f"there is no classifier {unknown[0]!r} among {', '.join(map(full_name, found.data['classifiers']))}")
        return value

    def pairs(self) -> dict[str, "Pair"]:
        """The comparison of every pair under every divergence and λ, by the name of its folder, such as a-vs-b-kl-w0.

        The name always contains both, so that a pair keeps its folder if the user adds another divergence or λ.

        Raises:
            SpecError: a setting is unknown or invalid, or two comparisons would have the same folder.
            UnknownName: a divergence is unknown.
        """
        if (count := len(self.divergences) * len(self.prior_weights) * math.comb(len(self.classifiers), 2)) > MOST_PAIRS:
            raise SpecError(f"The sweep has {count:,} comparisons, but at most {MOST_PAIRS:,} are allowed. Split it into several.")
        pairs: dict[str, Pair] = {}
        there: dict[str, Pair] = {}  # by names without case
        for divergence, weight in product(self.divergences, self.prior_weights):
            for first, second in combinations(self.classifiers, 2):
                name = avoid_reserved(f"{in_path(first)}-vs-{in_path(second)}-{in_path(divergence)}-w{exactly(weight)}")
                pair = Pair(first, second, divergence, weight, self._spec(first, second, divergence, weight))
                if other := there.get(name.casefold()):
                    raise SpecError(
                        f"{pair.in_words()} and {other.in_words()} would have the same folder, {name}. Rename the classifiers, or "
                        "run two sweeps."
                    )
                pairs[name] = there[name.casefold()] = pair
        return pairs

    def _spec(self, first: str, second: str, divergence: str, weight: float) -> Spec:
        if taken := [name for name in self.settings if name in OWN]:
            raise SpecError(f"{taken[0]!r} is not a shared setting of all pairs; set {OWN[taken[0]]!r} of the sweep itself.")
        orders = "forward" if self.orders == "both" and is_symmetric(divergence) else self.orders
        settings = deepcopy(self.settings) | {
            "first": self.classifiers[first],
            "second": self.classifiers[second],
            "generator": self.generator,
            "divergence": divergence,
            "prior_weight": weight,
            "orders": orders,
            "first_classes": self.classes.get(first),
            "second_classes": self.classes.get(second),
        }
        return spec_from(with_goal(settings), f"the pair {first} and {second} of {self.title or 'the sweep'!r}")


@dataclass(frozen=True)
class Pair:
    """One comparison of a sweep: the sweep's names of two classifiers, and the spec."""

    first: str
    second: str
    divergence: str
    prior_weight: float
    spec: Spec

    def in_words(self) -> str:
        """A description for messages."""
        return f"{self.first} and {self.second} under {self.divergence} with λ = {exactly(self.prior_weight)}"

    def cells(self) -> dict[tuple[str, str], tuple[str, str]]:
        """The cells of the matrix that the comparison fills, each with its order of the search and the side of its row.

        One order fills both if the divergence is symmetric.
        """
        there, back = (self.first, self.second), (self.second, self.first)
        orders = self.spec.searches
        if is_symmetric(self.divergence):
            return {there: (orders[0], "first"), back: (orders[0], "second")}
        return {there if order == "forward" else back: (order, "first" if order == "forward" else "second") for order in orders}


def is_symmetric(divergence: str) -> bool:
    """Whether D[p || q] = D[q || p], as the divergence declares.

    Raises:
        UnknownName: the divergence is unknown.
    """
    return _traits(divergence).symmetric


def limits_of(divergence: str) -> tuple[float, float]:
    """The bounds that the divergence declares."""
    claimed = _traits(divergence)
    return (0.0 if claimed.non_negative else -math.inf), claimed.bound


def unit_of(divergence: str) -> str:
    """The unit that the divergence declares."""
    return _traits(divergence).unit


def _traits(divergence: str) -> "Traits":
    from gevaldi.divergences import registry, traits

    return traits(registry.get(Call.parse(divergence).name))


def short_names(given: Sequence[str]) -> list[str]:
    """Short names of classifiers: without source and options if the names stay distinct."""
    forms = [[form(name.removeprefix(OBJECT)) for name in given] for form in (_last, _with_options, str)]
    return [
        next((own for own, all_of_form in zip(each, forms, strict=True) if all_of_form.count(own) == 1), each[-1])
        for each in zip(*forms, strict=True)
    ]


def _last(name: str) -> str:
    return name if "(" in name else split_unquoted(name, ",", 1)[0].rpartition(":")[2]


def _with_options(name: str) -> str:
    head, *options = split_unquoted(name, ",", 1)
    return name if "(" in name else ",".join([_last(head), *options])


def sweep_from(settings: Mapping[str, Any], assignments: Sequence[str] = (), source: str = "the sweep") -> Sweep:
    """A sweep from a mapping, and settings for all of its pairs such as `search.steps=50`.

    Raises:
        SpecError: a key is unknown or missing, or a value is invalid.
    """
    whole = {**settings, "settings": deepcopy(settings.get("settings") or {})}
    if assignments and isinstance(whole["settings"], dict):
        for assignment in assignments:
            overridden(whole["settings"], assignment)
    try:
        return Sweep.model_validate(whole)
    except ValidationError as error:
        unknown = any(e["type"] == "extra_forbidden" for e in error.errors())
        known = f" A sweep has {', '.join(Sweep.model_fields)}." if unknown else ""
        raise SpecError(f"In {source}: {explain_validation_error(error)}{known}") from None


def read_sweep(given: str | Path) -> dict[str, Any]:
    """The settings of a bundled sweep or of a YAML or TOML file, not yet validated, so that a user can override some.

    Raises:
        SpecError: the name is unknown, or the file cannot be read.
    """
    path = Path(str(FOLDER / f"{given}{SUFFIX}")) if str(given) in names(FOLDER) else local_path(str(given))
    if path.suffix not in FILES:
        raise SpecError(f"{UnknownName('sweep', str(given), names(FOLDER))} Your own must be a YAML or TOML file.")
    settings = read_spec(path)
    if isinstance(settings.get("settings"), dict):
        find_beside(path, settings["settings"])
    return settings
