"""The contents of `run.json`, checked once when it is opened, so that its readers can trust the types. Needs no torch."""

import json
from datetime import datetime
from functools import cache
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,  # pydantic accepts the one from typing only since Python 3.12
)

from pydantic import AfterValidator, ConfigDict, Field, NonNegativeFloat, NonNegativeInt, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict

from gevaldi.calls import explain_validation_error
from gevaldi.errors import RunFolderError

SHA256 = r"^[0-9a-f]{64}$"

Hash = Annotated[str, Field(pattern=SHA256)]
Share = Annotated[float, Field(ge=0, le=1)]
FINITE = ConfigDict(allow_inf_nan=False, strict=True)


class Label(TypedDict):
    """A class of a classifier, or a condition of a generator."""

    name: str
    id: str | None


class File(TypedDict):
    """A file that a network was read from."""

    path: str
    sha256: Hash


class Sound(TypedDict):
    """How a generator's pictures become sound: its kind and its samples a second (Hz), and settings besides."""

    kind: str
    rate: Annotated[int, Field(ge=1)]


@with_config(FINITE)
class Network(TypedDict):
    """A classifier or a generator; fields of only one of them are not required."""

    name: str
    parameters: NonNegativeInt
    sha256: Hash
    files: list[File]
    settings: dict[str, Any]
    note: NotRequired[str | None]
    labels: NotRequired[list[Label]]
    conditions: NotRequired[list[Label]]
    prior: NotRequired[str]
    prior_sha256: NotRequired[Hash]
    latent_shape: NotRequired[list[NonNegativeInt]]
    sound: NotRequired[Sound | None]


class Networks(TypedDict):
    """The three networks."""

    first: Network
    second: Network
    generator: Network


@with_config(FINITE)
class Divergence(TypedDict):
    """The divergence and its declared properties."""

    name: str
    unit: str
    symmetric: bool
    bound: float | None
    non_negative: NotRequired[bool]
    summary: str


class Side(TypedDict):
    """How a classifier's own labels were mapped."""

    left_out: list[str]
    added_up: dict[str, list[str]]
    labels: list[Label] | None
    places: list[NonNegativeInt | None] | None


class Alignment(TypedDict):
    """How the two classifiers were aligned to the same classes."""

    how: str
    classes: NonNegativeInt
    first: Side
    second: Side


@with_config(FINITE)
class ByChance(TypedDict):
    """Distances between pairs of classes picked at random."""

    levels: float
    lateral: Share


@with_config(FINITE)
class Hierarchy(TypedDict):
    """The hierarchy of the classes, which is in `taxonomy.json`."""

    name: str
    classes: list[str]
    sha256: Hash
    convention: Literal["published", "edges"]
    set_sizes: list[NonNegativeInt]
    mean_edges: float
    by_chance: ByChance
    largest: NotRequired[NonNegativeFloat]


@with_config(FINITE)
class Execution(TypedDict):
    """How the networks were computed, and how that was chosen."""

    batch_size: Annotated[int, Field(ge=1)]
    device: str
    precision: Literal["float32", "float64", "bfloat16"]
    small: bool
    block: Annotated[int, Field(ge=1)] | None
    channels_last: bool
    threads: Annotated[int, Field(ge=1)] | None
    compiled: bool
    tuning: NotRequired[dict[str, Any] | None]


def _within(counts: dict[str, Any]) -> dict[str, Any]:
    for part, whole in (("disagreements", "pictures"), ("read_first", "known_first"), ("read_second", "known_second")):
        if counts[part] > counts[whole]:
            raise ValueError(f"{part} is {counts[part]}, but {whole} is only {counts[whole]}")
    return counts


@with_config(FINITE)
class _Counts(TypedDict):
    """Counts over some pictures."""

    name: str
    pictures: NonNegativeInt
    disagreements: NonNegativeInt
    confidence_first: NonNegativeFloat | None
    confidence_second: NonNegativeFloat | None
    divergence_mean: float | None
    known_first: NonNegativeInt
    read_first: NonNegativeInt
    known_second: NonNegativeInt
    read_second: NonNegativeInt
    kept_first: NotRequired[NonNegativeFloat | None]
    kept_second: NotRequired[NonNegativeFloat | None]
    sha256: NotRequired[Hash]


Counts = Annotated[_Counts, AfterValidator(_within)]


@with_config(FINITE)
class Distance(TypedDict):
    """A distance with its interval."""

    value: float | None
    low: float | None
    high: float | None


class KernelDistance(Distance):
    """The kernel distance between drawn and real pictures, in a classifier's features."""

    features: str
    among_real: Distance
    generated: NonNegativeInt
    real: NonNegativeInt


class Audit(TypedDict):
    """How the two classifiers classify pictures of the generator, and real ones."""

    generated: Counts
    real: Counts | None
    kernel_distance: NotRequired[KernelDistance | None]


@with_config(FINITE)
class Bin(TypedDict):
    """Answers of similar confidence."""

    pictures: NonNegativeInt
    confidence: NonNegativeFloat
    right: NonNegativeInt


@with_config(FINITE)
class Accuracy(TypedDict):
    """One classifier on the real pictures of known classes."""

    official: bool
    right: NonNegativeInt
    right_resized: NonNegativeInt
    log_loss: float | None
    calibration_error: float | None
    temperature: float | None
    reliability: list[Bin]


_ByClass = TypedDict(
    "_ByClass",
    {
        "class": str,
        "pictures": NonNegativeInt,
        "both_right": NonNegativeInt,
        "only_first": NonNegativeInt,
        "only_second": NonNegativeInt,
        "both_wrong_alike": NonNegativeInt,
        "both_wrong_differently": NonNegativeInt,
    },
)


OUTCOMES = ("both_right", "only_first", "only_second", "both_wrong_alike", "both_wrong_differently")


def _adds_up(counts: dict[str, Any]) -> dict[str, Any]:
    """Check that counts are consistent. Both may be right with different answers if two classes share a name."""
    if sum(counts[key] for key in OUTCOMES) != counts["known"] or counts["known"] > counts["pictures"]:
        raise ValueError("its counts do not add up")
    apart = counts["only_first"] + counts["only_second"] + counts["both_wrong_differently"]
    if not apart <= counts["differ"] <= apart + counts["both_right"] + counts["pictures"] - counts["known"]:
        raise ValueError(f"differ is {counts['differ']}, which does not fit its other counts")
    for side in ("first", "second"):
        if counts[side]["right"] != counts["both_right"] + counts[f"only_{side}"]:
            raise ValueError(f"{side}.right is {counts[side]['right']}, which is not the sum of both_right and only_{side}")
        if counts[side]["right_resized"] > counts["known"]:
            raise ValueError(f"{side}.right_resized is {counts[side]['right_resized']}, but known is only {counts['known']}")
    by_class = counts["by_class"]
    if any(sum(own[key] for key in OUTCOMES) != own["pictures"] for own in by_class) or any(
        sum(own[key] for own in by_class) > counts[key] for key in OUTCOMES
    ):
        raise ValueError("its counts by class do not add up")
    return counts


@with_config(FINITE)
class _Evaluation(TypedDict):
    """The evaluation of both on unmodified real pictures."""

    name: str
    pictures: NonNegativeInt
    differ: NonNegativeInt
    known: NonNegativeInt
    both_right: NonNegativeInt
    only_first: NonNegativeInt
    only_second: NonNegativeInt
    both_wrong_alike: NonNegativeInt
    both_wrong_differently: NonNegativeInt
    by_class: list[_ByClass]
    first: Accuracy
    second: Accuracy


Evaluation = Annotated[_Evaluation, AfterValidator(_adds_up)]


class Pictures(TypedDict):
    """The file of answers on pictures, `audit.parquet`."""

    sha256: Hash


def _moment(text: str) -> str:
    datetime.fromisoformat(text)
    return text


class Inputs(TypedDict):
    """The list of all input files of a run, `inputs.sha256`."""

    files: NonNegativeInt
    sha256: Hash


class About(TypedDict):
    """The report's title, note and author."""

    title: NotRequired[str]
    note: NotRequired[str]
    author: NotRequired[str]


class Record(TypedDict):
    """The whole of `run.json`."""

    format: int
    fingerprint: str
    spec: dict[str, Any]
    models: Networks
    divergence: Divergence
    alignment: Alignment | None
    taxonomy: Hierarchy | None
    versions: dict[str, str]
    device: str
    execution: Execution
    command: str
    about: NotRequired[About]
    created: Annotated[str, AfterValidator(_moment)]
    audit: Audit | None
    evaluation: NotRequired[Evaluation | None]
    pictures: NotRequired[Pictures | None]
    warnings: list[str]
    inputs: Inputs


@cache
def _adapter() -> Any:
    return TypeAdapter(Record)


def check_record(record: dict[str, Any], source: str) -> None:
    """Check that a record is valid, as far as its readers rely on it.

    Raises:
        RunFolderError: a field is missing or has another type; the message says which.
    """
    try:
        _adapter().validate_python(record)
    except ValidationError as error:
        whole = explain_validation_error(error).rstrip(".").split("; ")
        more = f"; and {len(whole) - 3} more" if len(whole) > 3 else ""
        raise RunFolderError(
            f"{source} is not the record of a run: {'; '.join(whole[:3])}{more}. Restore the original file."
        ) from None


def record_as_json(record: dict[str, Any]) -> bytes:
    """The content of `run.json`."""
    text = json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode(errors="backslashreplace")  # escapes lone surrogates, such as those of paths, as JSON does
