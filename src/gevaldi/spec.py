"""The spec of a run: all that decides its rows, as a user writes it in YAML, TOML, Python or on the command line."""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from gevaldi.documents import Malformed, TextFile, parse
from gevaldi.errors import SpecError, UnknownName
from gevaldi.quoting import QUOTED, split_unquoted, unquoted
from gevaldi.registry import SHOWN, Registry, explain_validation_error
from gevaldi.search.stopping import MOST_STEPS, Stopping
from gevaldi.settings import Settings
from gevaldi.storage import Location, far_errors

DIVERGENCES = Registry("divergence", "gevaldi.divergences")  # whose package would import torch
FILE = TextFile("The spec", SpecError, "It should be a YAML or TOML file of settings such as 'samples: 64'.")

MOST_THREADS, MOST_AT_ONCE = 1_024, 1_000_000


class Search(Stopping):
    """How each sample is searched. The defaults were measured on the bundled pair; `benchmarks/README.md` has the table."""

    algorithm: str = Field("adam", description="search algorithm with its options, for example adam,learning_rate=0.05")
    typical_mass: float | None = Field(
        0.999, gt=0, lt=1, description="share of the prior that latents are kept in by projection; null for no projection"
    )
    candidates: int = Field(
        1,
        ge=1,
        le=10_000,
        description="draws for each row, of which the one with the largest objective after a short search is searched to the end; "
        "a row fails where the networks raise an error on one of them",
    )
    first_rung: int = Field(5, ge=1, le=MOST_STEPS, description="steps of the short search after which candidates are compared")


class Speed(Settings):
    """How networks are computed. Rows of small networks do not depend on it; those of large ones change by rounding at most."""

    threads: int | Literal["auto"] = Field(
        "auto",
        description="threads of the processor, unless OMP_NUM_THREADS says how many; auto is one a core, at most 4, for small "
        "networks, and torch's own number for large ones",
    )
    memory_format: Literal["auto", "contiguous", "channels_last"] = Field(
        "auto", description="order of the weights of convolutions; auto is what is fastest for large networks, and else contiguous"
    )
    compiled: bool = Field(False, description="whether networks are compiled by torch, which takes minutes")
    batch_size: int | Literal["auto"] = Field(
        "auto",
        description="samples searched together; auto is 128 for small networks (512 on CUDA), and for large ones what "
        "computes most samples a second",
    )

    @field_validator("threads", "batch_size", mode="before")
    @classmethod
    def _is_a_count(cls, value: Any, field: Any) -> Any:
        most = MOST_THREADS if field.field_name == "threads" else MOST_AT_ONCE
        if value != "auto" and (isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most):
            raise ValueError(f"a whole number from 1 to {most:,}, or auto, was expected")
        return value

    @model_validator(mode="before")
    @classmethod
    def _without_automatic_choices(cls, values: Any) -> Any:
        """Read specs of earlier versions, which wrote out what was chosen automatically then."""
        if not isinstance(values, Mapping):
            return values
        earlier = {"graphs": ("auto", False), "compiled": ("auto",)}
        return {key: value for key, value in values.items() if value not in earlier.get(key, ())}

    @field_validator("compiled", mode="before")
    @classmethod
    def _is_a_choice(cls, value: Any) -> Any:
        if not isinstance(value, bool):
            raise ValueError("true or false was expected")
        return value


class Spec(Settings):
    """One comparison of two classifiers.

    Equal specs of small networks give equal rows, whatever `speed`, the engine, the load and interruptions. How large networks are
    computed is measured, unless `precision` and `speed` say it; a run goes on as it began.
    """

    first: str = Field(description="the first classifier, for example bundled:mnist-strided")
    second: str = Field(description="the second classifier")
    generator: str = Field(description="the generator, for example bundled:mnist-vae")
    samples: int = Field(64, ge=1, le=100_000_000, description="starts, each searched in every order asked for")
    conditions: tuple[int | str, ...] | None = Field(
        None,
        min_length=1,
        max_length=100_000,
        description="what to ask the generator for, by index or name, in turn; null for all that it knows",
    )
    orders: Literal["both", "forward", "reverse"] = Field(
        "both",
        description="forward raises D[first || second], reverse D[second || first]; by default both, of a symmetric divergence one",
    )
    divergence: str = Field("kl", description="what is raised, with its options, for example renyi,order=2")
    taxonomy: str = Field(
        "auto",
        description="hierarchy of the classes: one that ships (ilsvrc), a file, none, or auto for the one of the labels' ids",
    )
    convention: Literal["published", "edges"] = Field(
        "published", description="levels between two classes that are e edges apart: published, (e - 1) / 2, or edges, e / 2"
    )
    set_sizes: tuple[Annotated[int, Field(ge=1, le=1_000)], ...] = Field(
        (1, 3, 5), max_length=100, description="the numbers n of top classes whose set distances (equation 4) are followed"
    )
    first_classes: dict[str, str | None] | None = Field(
        None,
        description="what the first one's labels are, where ids do not tell: {label: class}, null to leave one out, or a file",
    )
    second_classes: dict[str, str | None] | None = Field(None, description="the same of the second classifier's labels")
    prior_weight: float = Field(
        0.0,
        ge=0,
        description="λ of equation 3, in units of the divergence per nat of log p(z); 0 where projection keeps latents typical",
    )
    search: Search = Search()
    precision: Literal["auto", "float32", "float64", "bfloat16"] = Field(
        "auto",
        description="numbers to compute in; auto is float64 for small networks, bfloat16 along the way of searches (not at their "
        "ends) where large networks are faster with it and agree, and otherwise float32",
    )
    speed: Speed = Speed()
    seed: int = Field(0, ge=0, lt=2**63, description="the run's seed; every sample's own is made from it and the sample's number")
    real: str | None = Field(
        None,
        description="real pictures, for example bundled:mnist-digits: both classifiers answer them, and the generator is audited "
        "against them",
    )
    audited: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="pictures drawn to audit the generator; null for 1,000, or 100 where the networks are large",
    )

    @field_validator("conditions", "set_sizes", mode="before")
    @classmethod
    def _as_tuple(cls, value: Any) -> Any:
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, bool):
                raise ValueError(f"{one!r} is no name and no number; a name such as no or on stands in quotes")
        return (value,) if isinstance(value, int | str) else value

    @field_validator("taxonomy", mode="before")
    @classmethod
    def _none(cls, value: Any) -> Any:
        if isinstance(value, str) and QUOTED.fullmatch(value):
            return unquoted(value)
        return "none" if value is None else value

    @model_validator(mode="before")
    @classmethod
    def _one_order_of_a_symmetric_divergence(cls, values: Any) -> Any:
        """Both orders search for the same then, so that one is the default."""
        if not isinstance(values, dict) or "orders" in values:
            return values
        name = split_unquoted(str(values.get("divergence", "")), ",", 1)[0].strip()
        return values | ({"orders": "forward"} if DIVERGENCES.claims(name).get("symmetric") else {})

    @field_validator("first_classes", "second_classes", mode="before")
    @classmethod
    def _as_mapping(cls, value: Any) -> Any:
        from gevaldi.taxonomy.labels import mapping_of  # with NumPy, which help in a shell does without

        return mapping_of(value) if value is None or isinstance(value, Mapping | str | Path) else value

    @field_validator("set_sizes")
    @classmethod
    def _each_once(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(value)))

    @property
    def deciding(self) -> dict[str, Any]:
        """The settings that decide what a row holds: all but `samples`, how many rows there are, and `speed`."""
        return self.model_dump(mode="json", exclude={"samples", "speed"})

    @property
    def fingerprint(self) -> str:
        """Ten hexadecimal digits that differ between specs that give different rows."""
        return hashlib.sha256(json.dumps(self.deciding, sort_keys=True).encode()).hexdigest()[:10]

    @property
    def names_own_taxonomy(self) -> bool:
        """Whether the hierarchy of classes is a user's own, a file or an object, and none that ships."""
        from gevaldi.taxonomy.shipped import registry as taxonomies

        return self.taxonomy not in ("auto", "none", *taxonomies)

    @property
    def searches(self) -> tuple[str, ...]:
        """The orders that every start is searched in."""
        return ("forward", "reverse") if self.orders == "both" else (self.orders,)


GROUPS: dict[str, type[Settings]] = {"search": Search, "speed": Speed}
OF_LABELS = ("first_classes", "second_classes")  # whose members are labels: what has a dot, a comma or = in it is quoted
NAMED = [*GROUPS, *OF_LABELS]  # what has members with names


def spec_from(settings: dict[str, Any], source: str = "the spec") -> Spec:
    """A spec from a mapping.

    Raises:
        SpecError: a key is unknown or missing, or a value impossible; all problems are named at once, with the nearest known key.
    """
    try:
        return Spec.model_validate(settings)
    except ValidationError as error:
        if "classifiers" in settings:
            raise SpecError(f"In {source}: this is the spec of a sweep, of more than one comparison: gevaldi sweep FILE") from None
        errors = error.errors(include_url=False)
        hints = [_nearest(e["loc"]) for e in errors[:SHOWN] if e["type"] == "extra_forbidden"]
        if any(e["type"] == "missing" for e in errors):
            hints.append(
                "A comparison needs first, second and generator, each named SOURCE:NAME; gevaldi list shows what there is."
            )
        raise SpecError(" ".join([f"In {source}: {explain_validation_error(error)}", *hints])) from None


def differences(here: Mapping[str, Any], there: Mapping[str, Any], group: str = "") -> list[str]:
    """What two specs, as mappings, do not have in common: each setting by its dotted name, with both values."""
    found = []
    for key in here:
        if isinstance(here[key], Mapping) and isinstance(there[key], Mapping) and here[key].keys() == there[key].keys():
            found += differences(here[key], there[key], f"{group}{key}.")
        elif here[key] != there[key]:
            found.append(f"{group}{key}: {there[key]!r} there, {here[key]!r} here")
    return found


def overridden(settings: dict[str, Any], assignment: str) -> None:
    """Set one setting by its dotted name, as in `search.gain=0.001`; values are read as YAML, but for names of classes.

    Raises:
        SpecError: it is no assignment, a part of the name before the last is no group of settings, or the value is too large.
    """
    group, _, rest = assignment.partition(".")
    of_labels = group.strip() in OF_LABELS
    key, *values = split_unquoted(rest, "=", 1) if of_labels else assignment.split("=", 1)
    if not values:
        raise SpecError(f"--set {assignment} was given; NAME=VALUE was expected, for example --set search.gain=0.001.")
    value, whole = values[0], assignment[: -len(values[0]) - 1].strip()
    *groups, last = [group.strip(), unquoted(key.strip())] if of_labels else key.strip().split(".")
    if len(groups) > 1:
        raise SpecError(f"--set {whole}: a setting has one dot at most, as in search.gain.")
    for name in groups:
        settings = settings.setdefault(name, {})
        if not isinstance(settings, dict):
            raise SpecError(f"--set {whole}: {name!r} is no group of settings; those are {', '.join(NAMED)}.")
    try:
        found = parse(value, ".yaml")
    except Malformed:
        found = value
    except ValueError as error:
        raise SpecError(f"--set {whole} cannot be read: {error}.") from None
    settings[last] = value.strip() if of_labels and isinstance(found, int | float) else found  # a class may be called 007 or no


def _nearest(location: tuple[int | str, ...]) -> str:
    name, group = str(location[-1]), str(location[0]) if len(location) > 1 else ""
    if group in GROUPS:
        return str(UnknownName("setting", name, GROUPS[group].model_fields))
    for group, members in GROUPS.items():
        if name in members.model_fields:
            return f"{name!r} is a setting of the {group}: {group}.{name}."
    return str(UnknownName("setting", name, [*Spec.model_fields, *settings_of_groups()]))


def settings_of_groups() -> list[str]:
    """The dotted names of all settings that belong to a group."""
    return [f"{group}.{name}" for group, members in GROUPS.items() for name in members.model_fields]


def read_spec(path: Location) -> dict[str, Any]:
    """The settings in a YAML or TOML file, not yet checked, so that the command line can override some.

    A taxonomy that lies beside the file is found there, whatever the current folder.

    Raises:
        SpecError: the file is not there, is neither kind, cannot be parsed, holds too much, or no mapping.
    """
    settings = FILE.values(path)
    if not isinstance(settings, dict):
        raise SpecError(f"The spec {path} holds {type(settings).__name__}, but settings such as 'samples: 64' were expected.")
    find_beside(path, settings)
    return settings


def find_beside(path: Location, settings: dict[str, Any]) -> None:
    """Let a taxonomy that lies beside the file of settings be found there, whatever the current folder."""
    with contextlib.suppress(OSError), far_errors():  # a name that is too long is none of a file
        if isinstance(beside := settings.get("taxonomy"), str) and (path.parent / beside).is_file():
            settings["taxonomy"] = str(path.parent / beside)


def write_spec(spec: Spec) -> str:
    """The spec as YAML, every setting written out."""
    import yaml

    return yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
