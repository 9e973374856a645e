"""The spec of a run: every setting that determines its rows, written in YAML, TOML, Python or on the command line."""

import contextlib
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from gevaldi.calls import SHOWN, explain_validation_error
from gevaldi.documents import Malformed, TextFile, parse
from gevaldi.errors import SpecError, UnknownName
from gevaldi.quoting import QUOTED, split_unquoted, unquoted
from gevaldi.registry import Registry
from gevaldi.search.stopping import MOST_STEPS, Stopping
from gevaldi.settings import Settings
from gevaldi.storage import Location, far_errors

DIVERGENCES = Registry("divergence", "gevaldi.divergences")  # whose package would import torch
FILE = TextFile("The spec", SpecError, "It should be a YAML or TOML file of settings such as 'samples: 64'.")

MOST_THREADS, MOST_AT_ONCE = 1_024, 1_000_000
BLACK_BOX = re.compile(r"(^|[(:+]) *(function|https?|sklearn):|\bgradients=false", re.IGNORECASE)  # in a classifier's name
WITHOUT_GRADIENTS = {"algorithm": "cma-es", "steps": 500}  # of a search, unless a user says otherwise
MOST_DIVERGENT, MOST_PROBABLE = "most divergent", "most probable"  # goals of a search


class Search(Stopping):
    """How GeValDi searches each sample. The defaults come from measurements on the bundled pair (`benchmarks/README.md`)."""

    goal: Literal["both", "most divergent", "most probable"] = Field(
        "both",
        description="what to find from each start: the most divergent picture (equation 3), the most probable one on which the top "
        "classes differ, or both, the second from the first",
    )
    margin: float = Field(
        0.2,
        gt=0,
        description="for the most probable: nats by which each classifier prefers its top class to the other's, if possible",
    )
    algorithm: str = Field(
        "adam",
        description="search algorithm for the most divergent, with its options, for example adam,learning_rate=0.05; by default "
        "cma-es, with 500 steps, if a classifier passes no gradient",
    )
    typical_mass: float | None = Field(
        0.999, gt=0, lt=1, description="share of the prior within which projection keeps latents; null for no projection"
    )
    candidates: int = Field(
        1,
        ge=1,
        le=10_000,
        description="starts to draw for each row; only the one with the largest objective after a short search is searched to the "
        "end; a row fails if the networks raise an error on any of them",
    )
    first_rung: int = Field(5, ge=1, le=MOST_STEPS, description="steps of the short search that compares candidates")


class Speed(Settings):
    """How GeValDi computes networks. Rows of small networks do not depend on it; rows of large ones change by rounding at most."""

    threads: int | Literal["auto"] = Field(
        "auto",
        description="processor threads, unless OMP_NUM_THREADS sets their number; auto is one per core, at most 4, for small "
        "networks, and torch's default for large ones",
    )
    memory_format: Literal["auto", "contiguous", "channels_last"] = Field(
        "auto",
        description="memory layout of convolution weights; auto is the fastest for large networks, and contiguous for small ones",
    )
    compiled: bool = Field(False, description="whether torch compiles the networks, which takes minutes")
    batch_size: int | Literal["auto"] = Field(
        "auto",
        description="samples searched together; auto is 128 for small networks (512 on CUDA), and the fastest size for large ones",
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
        """Read specs of earlier versions, which wrote out the automatic choices of their time."""
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

    Equal specs of small networks give equal rows, whatever `speed`, the engine, the load and interruptions. For large networks,
    GeValDi measures how to compute them unless `precision` and `speed` specify it; a run resumes as it began.
    """

    first: str = Field(description="the first classifier, for example bundled:mnist-strided")
    second: str = Field(description="the second classifier")
    generator: str = Field(description="the generator, for example bundled:mnist-vae")
    samples: int = Field(64, ge=1, le=100_000_000, description="number of starts; each is searched in every requested order")
    conditions: tuple[int | str, ...] | None = Field(
        None,
        min_length=1,
        max_length=100_000,
        description="conditions of the generator, by index or name, used in turn; null for all of them",
    )
    orders: Literal["both", "forward", "reverse"] = Field(
        "both",
        description="forward maximises D[first || second], reverse D[second || first]; by default both, but one if the divergence "
        "is symmetric or the goal is the most probable alone",
    )
    divergence: str = Field("kl", description="divergence to maximise, with its options, for example renyi,order=2")
    taxonomy: str = Field(
        "auto",
        description="hierarchy of the classes: a bundled one (ilsvrc), a file, none, or auto to choose it by the labels' ids",
    )
    convention: Literal["published", "edges"] = Field(
        "published", description="levels between two classes that are e edges apart: published, (e - 1) / 2, or edges, e / 2"
    )
    set_sizes: tuple[Annotated[int, Field(ge=1, le=1_000)], ...] = Field(
        (1, 3, 5), max_length=100, description="sizes n of the sets of top classes whose set distances (equation 4) are recorded"
    )
    first_classes: dict[str, str | None] | None = Field(
        None,
        description="classes of the first classifier's labels, if ids do not identify them: {label: class}, null to leave a label "
        "out, or a file",
    )
    second_classes: dict[str, str | None] | None = Field(None, description="the same for the second classifier's labels")
    prior_weight: float = Field(
        0.0,
        ge=0,
        description="λ of equation 3, in units of the divergence per nat of log p(z); 0 if projection keeps latents typical",
    )
    search: Search = Search()
    precision: Literal["auto", "float32", "float64", "bfloat16"] = Field(
        "auto",
        description="floating-point format; auto is float64 for small networks, bfloat16 during searches (not at their ends) if "
        "large networks are faster with it and agree, and otherwise float32",
    )
    speed: Speed = Speed()
    seed: int = Field(0, ge=0, lt=2**63, description="the run's seed; each sample's seed is derived from it and the sample's index")
    real: str | None = Field(
        None,
        description="real pictures, for example bundled:mnist-digits; both classifiers are evaluated on them, and the generator is "
        "audited against them",
    )
    audited: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="pictures to draw for the audit of the generator; null for 1,000, or 100 for large networks",
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
    def _one_order_if_both_are_the_same_search(cls, values: Any) -> Any:
        """One is the default if the divergence is symmetric, or none is maximised."""
        if not isinstance(values, dict) or "orders" in values:
            return values
        name = split_unquoted(str(values.get("divergence", "")), ",", 1)[0].strip()
        search = values.get("search")
        goal = search.get("goal") if isinstance(search, Mapping) else getattr(search, "goal", None)
        same = goal == MOST_PROBABLE or DIVERGENCES.claims(name).get("symmetric")
        return values | ({"orders": "forward"} if same else {})

    @model_validator(mode="before")
    @classmethod
    def _search_without_gradients(cls, values: Any) -> Any:
        """The default if the name of a classifier says that no gradient passes through it."""
        if not isinstance(values, dict) or not any(_is_black_box(values.get(side)) for side in ("first", "second")):
            return values
        return with_search_without_gradients(values)

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
        """The settings that determine a row: all except `samples`, the number of starts, and `speed`."""
        return self.model_dump(mode="json", exclude={"samples", "speed"})

    @property
    def fingerprint(self) -> str:
        """Ten hexadecimal digits that identify the settings in `deciding`; runs of versions without goals keep theirs."""
        deciding = self.deciding
        if self.search.goal == MOST_DIVERGENT:
            deciding["search"] = {key: value for key, value in deciding["search"].items() if key not in ("goal", "margin")}
        return hashlib.sha256(json.dumps(deciding, sort_keys=True).encode()).hexdigest()[:10]

    @property
    def names_own_taxonomy(self) -> bool:
        """Whether the hierarchy of classes is the user's own file or object, not a bundled one."""
        from gevaldi.taxonomy.shipped import registry as taxonomies

        return self.taxonomy not in ("auto", "none", *taxonomies)

    @property
    def searches(self) -> tuple[str, ...]:
        """The orders in which every start is searched."""
        return ("forward", "reverse") if self.orders == "both" else (self.orders,)


GROUPS: dict[str, type[Settings]] = {"search": Search, "speed": Speed}
OF_LABELS = ("first_classes", "second_classes")  # their members are labels: one with a dot, a comma or = is quoted
NAMED = [*GROUPS, *OF_LABELS]  # settings that have named members


def spec_from(settings: dict[str, Any], source: str = "the spec") -> Spec:
    """A spec from a mapping.

    Raises:
        SpecError: a key is unknown or missing, or a value is invalid; lists all problems, with the nearest known keys.
    """
    try:
        return Spec.model_validate(settings)
    except ValidationError as error:
        if "classifiers" in settings:
            raise SpecError(
                f"In {source}: this is the spec of a sweep, not of one comparison. Run it with: gevaldi sweep FILE"
            ) from None
        errors = error.errors(include_url=False)
        hints = [_nearest(e["loc"]) for e in errors[:SHOWN] if e["type"] == "extra_forbidden"]
        if any(e["type"] == "missing" for e in errors):
            hints.append(
                "A comparison needs first, second and generator, each named SOURCE:NAME; gevaldi list shows the available names."
            )
        raise SpecError(" ".join([f"In {source}: {explain_validation_error(error)}", *hints])) from None


def _is_black_box(name: Any) -> bool:
    return isinstance(name, str) and not name.startswith("surrogate:") and BLACK_BOX.search(name) is not None


def with_search_without_gradients(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings whose search needs no gradient, unless they name its algorithm."""
    search = settings.get("search", {})
    if not isinstance(search, Mapping) or "algorithm" in search:
        return settings
    return {**settings, "search": {**WITHOUT_GRADIENTS, **search}}


def with_goal(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings whose goal is the most divergent pictures unless they name another: those of runs of versions without goals."""
    search = settings.get("search", {})
    return {**settings, "search": {"goal": MOST_DIVERGENT, **search} if isinstance(search, Mapping) else search}


def differences(here: Mapping[str, Any], there: Mapping[str, Any], group: str = "") -> list[str]:
    """The settings in which two specs, as mappings, differ: each by its dotted name, with both values."""
    texts = []
    for key in here:
        if isinstance(here[key], Mapping) and isinstance(there[key], Mapping) and here[key].keys() == there[key].keys():
            texts += differences(here[key], there[key], f"{group}{key}.")
        elif here[key] != there[key]:
            texts.append(f"{group}{key}: {there[key]!r} there, {here[key]!r} here")
    return texts


def overridden(settings: dict[str, Any], assignment: str) -> None:
    """Set one setting by its dotted name, as in `search.gain=0.001`; values but names of classes are parsed as YAML.

    Raises:
        SpecError: the assignment is malformed, its name has an unknown group of settings, or its value is too large.
    """
    group, _, rest = assignment.partition(".")
    of_labels = group.strip() in OF_LABELS
    key, *values = split_unquoted(rest, "=", 1) if of_labels else assignment.split("=", 1)
    if not values:
        raise SpecError(f"--set {assignment} was given; NAME=VALUE was expected, for example --set search.gain=0.001.")
    value, whole = values[0], assignment[: -len(values[0]) - 1].strip()
    *groups, last = [group.strip(), unquoted(key.strip())] if of_labels else key.strip().split(".")
    if len(groups) > 1:
        raise SpecError(f"--set {whole}: a setting has at most one dot, as in search.gain.")
    for name in groups:
        settings = settings.setdefault(name, {})
        if not isinstance(settings, dict):
            raise SpecError(f"--set {whole}: {name!r} is not a group of settings; the groups are {', '.join(NAMED)}.")
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
    """The dotted names of all settings in groups."""
    return [f"{group}.{name}" for group, members in GROUPS.items() for name in members.model_fields]


def read_spec(path: Location) -> dict[str, Any]:
    """The settings in a YAML or TOML file, not yet validated, so that the command line can override some.

    The path of a taxonomy may be relative to the file, whatever the current folder.

    Raises:
        SpecError: the file does not exist, is neither YAML nor TOML, cannot be parsed, is too large, or holds no mapping.
    """
    settings = FILE.values(path)
    if not isinstance(settings, dict):
        raise SpecError(f"The spec {path} holds {type(settings).__name__}, but settings such as 'samples: 64' were expected.")
    find_beside(path, settings)
    return settings


def find_beside(path: Location, settings: dict[str, Any]) -> None:
    """Resolve the path of a taxonomy relative to the file of settings, whatever the current folder."""
    with contextlib.suppress(OSError), far_errors():  # a name that is too long is not a file
        if isinstance(beside := settings.get("taxonomy"), str) and (path.parent / beside).is_file():
            settings["taxonomy"] = str(path.parent / beside)


def write_spec(spec: Spec) -> str:
    """The spec as YAML, with every setting."""
    import yaml

    return yaml.safe_dump(spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
