"""A sweep: N classifiers, each against each other, under some divergences and some λ, as one spec."""

import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from importlib import resources
from itertools import combinations, product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator

from gevaldi.errors import SpecError, UnknownName
from gevaldi.experiments.spec import SUFFIX, names
from gevaldi.folders import avoid_reserved, in_path
from gevaldi.measures.sweeps import exactly
from gevaldi.names import OBJECT, full_name
from gevaldi.quoting import split_unquoted
from gevaldi.registry import Call, explain_validation_error
from gevaldi.settings import Settings
from gevaldi.spec import Spec, find_beside, overridden, read_spec, spec_from
from gevaldi.storage import local_path

if TYPE_CHECKING:
    from gevaldi.divergences.base import Traits

FOLDER = resources.files("gevaldi.sweeps")
FILES = (SUFFIX, ".yml", ".toml")
OWN = {  # settings of a spec that a sweep has in its own way
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
    """All pairs of some classifiers, under all of some divergences and all of some λ."""

    title: str = Field("", description="what it is called")
    question: str = Field("", description="what it asks")
    classifiers: dict[str, str] = Field(description="a list of classifiers, or {NAME: SOURCE:NAME} to call them otherwise")
    generator: str = Field(description="the generator, for example bundled:mnist-vae")
    divergences: tuple[str, ...] = Field(("kl",), min_length=1, max_length=100, description="what is raised, one after another")
    prior_weights: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (0.0,), min_length=1, max_length=100, description="λ of equation 3, one after another"
    )
    orders: Literal["both", "forward", "reverse"] = Field(
        "both", description="both fill the matrix; of a symmetric divergence one does, and only that is searched"
    )
    classes: dict[str, Any] = Field(
        default_factory=dict, description="what the labels of a classifier are, where ids do not tell: {NAME: {label: class}}"
    )
    settings: dict[str, Any] = Field(default_factory=dict, description="settings of a spec that all pairs share")

    @field_validator("classifiers", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, Sequence | Mapping) and len(value) > MOST_CLASSIFIERS:
            raise ValueError(f"{len(value):,} were named; a sweep takes {MOST_CLASSIFIERS:,} at most")
        if isinstance(value, str | bytes) or not isinstance(value, Sequence) or not all(isinstance(v, str) for v in value):
            return value
        if twice := [name for name in value if value.count(name) > 1]:
            raise ValueError(f"{full_name(twice[0])} is named twice; each is compared with all others, so once is enough")
        return dict(zip(short_names(value), value, strict=True))

    @field_validator("classifiers")
    @classmethod
    def _several(cls, value: dict[str, str]) -> dict[str, str]:
        if len(value) < 2:
            raise ValueError(f"{len(value)} classifier was named; a sweep takes two or more, and compares each with each other")
        twice = [name for name in value.values() if [*value.values()].count(name) > 1]
        if twice:
            raise ValueError(f"{full_name(twice[0])} is named twice; each is compared with all others, so once is enough")
        folders = [in_path(name).casefold() for name in value]
        alike = [name for name, folder in zip(value, folders, strict=True) if folders.count(folder) > 1]
        if alike:
            raise ValueError(f"{' and '.join(map(full_name, alike))} cannot be told apart in names of folders; call them otherwise")
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

        Both are always in it, so that a pair keeps its folder when another divergence or λ is added.

        Raises:
            SpecError: a setting is unknown or impossible, or two comparisons would have the same folder.
            UnknownName: there is no such divergence.
        """
        if (count := len(self.divergences) * len(self.prior_weights) * math.comb(len(self.classifiers), 2)) > MOST_PAIRS:
            raise SpecError(f"The sweep has {count:,} comparisons; {MOST_PAIRS:,} at most were expected. Make several of it.")
        found: dict[str, Pair] = {}
        there: dict[str, Pair] = {}  # by names without case
        for divergence, weight in product(self.divergences, self.prior_weights):
            for first, second in combinations(self.classifiers, 2):
                name = avoid_reserved(f"{in_path(first)}-vs-{in_path(second)}-{in_path(divergence)}-w{exactly(weight)}")
                pair = Pair(first, second, divergence, weight, self._spec(first, second, divergence, weight))
                if other := there.get(name.casefold()):
                    raise SpecError(
                        f"{pair.in_words()} and {other.in_words()} would have the same folder, {name}. Call the classifiers "
                        "otherwise, or make two sweeps."
                    )
                found[name] = there[name.casefold()] = pair
        return found

    def _spec(self, first: str, second: str, divergence: str, weight: float) -> Spec:
        if taken := [name for name in self.settings if name in OWN]:
            raise SpecError(f"{taken[0]!r} is no setting that all pairs share; say it by {OWN[taken[0]]!r} of the sweep itself.")
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
        return spec_from(settings, f"the pair {first} and {second} of {self.title or 'the sweep'!r}")


@dataclass(frozen=True)
class Pair:
    """One comparison of a sweep: two of its classifiers by their names there, and the spec."""

    first: str
    second: str
    divergence: str
    prior_weight: float
    spec: Spec

    def in_words(self) -> str:
        """Which it is."""
        return f"{self.first} and {self.second} under {self.divergence} with λ = {exactly(self.prior_weight)}"

    def cells(self) -> dict[tuple[str, str], tuple[str, str]]:
        """The cells of the matrix that the comparison fills: the order of the rows in it, and which classifier is the row's.

        Both are filled by one order where the divergence is symmetric.
        """
        there, back = (self.first, self.second), (self.second, self.first)
        orders = self.spec.searches
        if is_symmetric(self.divergence):
            return {there: (orders[0], "first"), back: (orders[0], "second")}
        return {there if order == "forward" else back: (order, "first" if order == "forward" else "second") for order in orders}


def is_symmetric(divergence: str) -> bool:
    """Whether D[p || q] = D[q || p], as the divergence itself claims.

    Raises:
        UnknownName: there is no such divergence.
    """
    return _traits(divergence).symmetric


def limits_of(divergence: str) -> tuple[float, float]:
    """What the divergence claims to be at least and at most."""
    claimed = _traits(divergence)
    return (0.0 if claimed.non_negative else -math.inf), claimed.bound


def unit_of(divergence: str) -> str:
    """What the divergence counts, in its own words."""
    return _traits(divergence).unit


def _traits(divergence: str) -> "Traits":
    from gevaldi.divergences import registry, traits

    return traits(registry.get(Call.parse(divergence).name))


def short_names(given: Sequence[str]) -> list[str]:
    """What classifiers are called: without source and options, where this tells each from all others."""
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
        SpecError: a key is unknown or missing, or a value impossible.
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
    """The settings of a sweep that ships, by name, or of a YAML or TOML file, not yet checked, so that a user can override some.

    Raises:
        SpecError: there is none of that name, or the file cannot be read.
    """
    path = Path(str(FOLDER / f"{given}{SUFFIX}")) if str(given) in names(FOLDER) else local_path(str(given))
    if path.suffix not in FILES:
        raise SpecError(f"{UnknownName('sweep', str(given), names(FOLDER))} One of your own is a YAML or TOML file.")
    found = read_spec(path)
    if isinstance(found.get("settings"), dict):
        find_beside(path, found["settings"])
    return found
