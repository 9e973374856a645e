"""A sample: everything that a run stores about one search. Each field is a column of the rows, with its description."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

Row = dict[str, Any]

IMAGE = {"bytes": "binary", "path": "string"}
SOUND = {**IMAGE}  # of the same type, and another object: `schema` tells them apart by identity
PREDICTIONS = [{"label": "int32", "name": "string", "id": "string", "probability": "float32"}]
NUMBERS, CLASSES = ["float32"], [["int32"]]


def column(kind: Any, description: str) -> Any:
    """A field that is a column; None by default.

    Args:
        kind: its Arrow type by name; a list of one type for a list of such values, a dict for a struct.
        description: its contents, in a sentence.
    """
    return field(default=None, metadata={"kind": kind, "description": description})


def column_of_sizes(kind: Any, description: str) -> Any:
    """A field that is several columns, one for each number n of top classes; the description contains `{n}`."""
    return field(default_factory=dict, metadata={"kind": kind, "description": description, "sizes": True})


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One sample; unknown values of a failed one are None."""

    index: int = column("int64", "number of the sample in the run; both orders of one start are neighbours")
    seed: int = column("int64", "the seed of all the sample's noise")
    candidate: int = column("int32", "number, from 0, of the draw for this row that was searched to the end")
    order: str = column("string", "forward: D[first || second] was maximised; reverse: D[second || first]")
    condition: int | None = column("int32", "index of the generator's condition; null if it takes none")
    condition_name: str | None = column("string", "its name")
    condition_id: str | None = column("string", "its id in a taxonomy, if it has one")
    status: str = column("string", "converged, out of steps, or failed")
    error: str | None = column("string", "why it failed; otherwise null")
    steps: int = column("int32", "steps taken")
    step_end: int | None = column(
        "int32", "the step with the largest objective, at which all columns of the end are taken; the last step of a sampler"
    )
    divergence_start: float | None = column("float32", "D before the search, in the divergence's unit")
    divergence_end: float | None = column("float32", "D after the search, at step_end")
    log_prior_start: float | None = column("float32", "log p(z) before the search, in nats")
    log_prior_end: float | None = column("float32", "log p(z) after the search, in nats")
    typicality_start: float | None = column("float32", "share of the prior nearer its centre than the latent before the search")
    typicality_end: float | None = column(
        "float32", "the same after the search; above 0.999 the generator hardly ever draws such a picture"
    )
    delta_z: float | None = column(
        "float32", "|z - z_start| / |z|: the distance from start to end, relative to the norm of the end"
    )
    survives_storage: bool | None = column(
        "bool", "whether both keep their top classes on the stored 8-bit picture, with their official pipelines if they have one"
    )
    differ_by_chance: bool | None = column(
        "bool", "whether top classes also differ at the same distance from the start in a random direction"
    )
    target_classes: list[int] | None = column(
        ["int32"], "indices of the compared classes that match the condition; empty if none does"
    )
    flipped: str | None = column("string", "the classifiers whose top class the search changed: neither, first, second, both")
    shift: str | None = column(
        "string",
        "distance of the change in the hierarchy: same level, near, lateral; null if neither flipped, or without a hierarchy",
    )
    shift_first: float | None = column("float32", "levels between the first classifier's top classes before and after the search")
    shift_second: float | None = column("float32", "levels between the second classifier's top classes before and after the search")
    right_start: str | None = column(
        "string", "the classifiers whose top class before the search is the condition: neither, first, second, both"
    )
    right_end: str | None = column("string", "the same after the search")
    probable_differs: bool | None = column(
        "bool",
        "whether a most probable disagreement was reached; null if none was sought",
    )
    divergence_probable: float | None = column("float32", "D at the most probable disagreement")
    log_prior_probable: float | None = column("float32", "log p(z) at the most probable disagreement, in nats")
    typicality_probable: float | None = column(
        "float32", "share of the prior nearer its centre than the most probable disagreement"
    )
    survives_storage_probable: bool | None = column("bool", "survives_storage of the most probable disagreement")
    both_more_confident: bool | None = column(
        "bool", "whether the condition is the top class of both after the search, each with a higher probability than before"
    )
    target_first_start: float | None = column("float32", "the first classifier's probability of the condition at the start")
    target_first_end: float | None = column("float32", "the first classifier's probability of the condition at the end")
    target_second_start: float | None = column("float32", "the second classifier's probability of the condition at the start")
    target_second_end: float | None = column("float32", "the second classifier's probability of the condition at the end")
    set_distance_start: Mapping[int, float | None] = column_of_sizes(
        "float32", "levels between the two sets of top-{n} classes (equation 4) at the start"
    )
    set_distance_end: Mapping[int, float | None] = column_of_sizes(
        "float32", "levels between the two sets of top-{n} classes (equation 4) at the end"
    )
    first_start: list[Row] | None = column(PREDICTIONS, "the first classifier's most probable classes before the search")
    first_end: list[Row] | None = column(PREDICTIONS, "the same after the search")
    second_start: list[Row] | None = column(PREDICTIONS, "the second classifier's most probable classes before the search")
    second_end: list[Row] | None = column(PREDICTIONS, "the same after the search")
    first_probable: list[Row] | None = column(
        PREDICTIONS, "the first classifier's most probable classes at the most probable disagreement"
    )
    second_probable: list[Row] | None = column(PREDICTIONS, "the same of the second classifier")
    picture_original: Row | None = column(IMAGE, "the real picture whose encoding is the start; null for other starts")
    picture_start: Row | None = column(IMAGE, "g(z) before the search, as PNG")
    picture_end: Row | None = column(IMAGE, "g(z) after the search, as PNG")
    picture_probable: Row | None = column(IMAGE, "g(z) at the most probable disagreement, as PNG")
    sound_original: Row | None = column(SOUND, "picture_original as sound, as FLAC; null if the generator's pictures make no sound")
    sound_start: Row | None = column(SOUND, "picture_start as sound, as FLAC")
    sound_end: Row | None = column(SOUND, "picture_end as sound, as FLAC")
    sound_probable: Row | None = column(SOUND, "picture_probable as sound, as FLAC")
    z_start: Any = column(NUMBERS, "the latent before the search, flattened")
    z_end: Any = column(NUMBERS, "the latent after the search, flattened")
    z_probable: Any = column(NUMBERS, "the latent of the most probable disagreement, flattened")
    path_divergence: Any = column(NUMBERS, "D at the start and after every step")
    path_log_prior: Any = column(NUMBERS, "log p(z) along the search")
    path_delta_z: Any = column(NUMBERS, "delta_z along the search")
    path_set_distance: Mapping[int, Any] = column_of_sizes(NUMBERS, "set_distance_{n} along the search")
    path_pictures: list[Row] | None = column(
        [IMAGE], "g(z) at some steps from the start to the end, as PNG or, above 64 pixels, as WebP"
    )
    path_picture_steps: list[int] | None = column(["int32"], "the steps of path_pictures: 0, 1, 2, 4, 8 ... and step_end")
    path_first: Any = column(CLASSES, "indices of the first classifier's most probable classes along the search")
    path_second: Any = column(CLASSES, "indices of the second classifier's most probable classes along the search")

    def row(self) -> Row:
        """The sample by column."""
        row: Row = {}
        for own in fields(self):
            value = getattr(self, own.name)
            row |= {name_of(own.name, n): v for n, v in value.items()} if "sizes" in own.metadata else {own.name: value}
        return row


def name_of(field_name: str, n: int) -> str:
    """The column of a field for n top classes: set_distance_start becomes set_distance_3_start."""
    return field_name.replace("set_distance", f"set_distance_{n}")


def columns_of(set_sizes: tuple[int, ...]) -> list[tuple[str, Any, str]]:
    """Name, kind and description of every column, with set distances for these numbers of top classes."""
    columns = []
    for own in fields(Sample):
        kind, text = own.metadata["kind"], own.metadata["description"]
        several = [(name_of(own.name, n), kind, text.format(n=n)) for n in set_sizes]
        columns += several if "sizes" in own.metadata else [(own.name, kind, text)]
    return columns
