"""A sample: everything that a run knows about one search. Each field is a column of the rows, and says what it holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

Row = dict[str, Any]

IMAGE = {"bytes": "binary", "path": "string"}
PREDICTIONS = [{"label": "int32", "name": "string", "id": "string", "probability": "float32"}]
NUMBERS, CLASSES = ["float32"], [["int32"]]


def column(kind: Any, description: str) -> Any:
    """A field that is a column; None unless it is known.

    Args:
        kind: its Arrow type by name; a list of one type for a list of such values, a dict for a struct.
        description: what it holds, in a sentence.
    """
    return field(default=None, metadata={"kind": kind, "description": description})


def column_of_sizes(kind: Any, description: str) -> Any:
    """A field that is several columns, one for each number n of top classes that is followed; `{n}` stands in the description."""
    return field(default_factory=dict, metadata={"kind": kind, "description": description, "sizes": True})


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One sample; of a failed one, what is not known is None."""

    index: int = column("int64", "number of the sample in the run; both orders of one start are neighbours")
    seed: int = column("int64", "the sample's noise is a function of it")
    candidate: int = column("int32", "which of the draws for this row was searched to the end, counted from 0")
    order: str = column("string", "forward: D[first || second] was raised; reverse: D[second || first]")
    condition: int | None = column("int32", "index of the generator's condition; null if it takes none")
    condition_name: str | None = column("string", "its name")
    condition_id: str | None = column("string", "its id in a taxonomy, where it has one")
    status: str = column("string", "converged, out of steps, or failed")
    error: str | None = column("string", "why it failed; otherwise null")
    steps: int = column("int32", "steps taken")
    step_end: int | None = column(
        "int32", "the step with the largest objective, to which all columns of the end belong; a sampler's last"
    )
    divergence_start: float | None = column("float32", "D before, in the divergence's unit")
    divergence_end: float | None = column("float32", "D after, at step_end")
    log_prior_start: float | None = column("float32", "log p(z) before, in nats")
    log_prior_end: float | None = column("float32", "log p(z) after")
    typicality_start: float | None = column("float32", "share of the prior nearer its centre than the latent, before")
    typicality_end: float | None = column(
        "float32", "the same after; above 0.999 the picture is hardly one that the generator draws"
    )
    delta_z: float | None = column("float32", "|z - z_start| / |z|: how far the search went, relative to where it ended")
    survives_storage: bool | None = column(
        "bool", "both name the same top classes on the stored 8-bit picture, by their official pipelines where they have one"
    )
    differ_by_chance: bool | None = column(
        "bool", "top classes differ as far from the start as the search ended, in a direction drawn at random"
    )
    target_classes: list[int] | None = column(
        ["int32"], "indices of the classes compared that are the condition; empty where none is"
    )
    flipped: str | None = column("string", "which classifiers' top class the search changed: neither, first, second, both")
    shift: str | None = column(
        "string", "how far, in the hierarchy: same level, near, lateral; null where neither flipped, or without hierarchy"
    )
    shift_first: float | None = column("float32", "levels from the first classifier's top class before to the one after")
    shift_second: float | None = column("float32", "levels from the second classifier's top class before to the one after")
    right_start: str | None = column("string", "which of the two named the condition before: neither, first, second, both")
    right_end: str | None = column("string", "and after")
    both_more_confident: bool | None = column("bool", "both name the condition after, each with more probability than before")
    target_first_start: float | None = column("float32", "probability that the first classifier gave to the condition at the start")
    target_first_end: float | None = column("float32", "probability that the first classifier gave to the condition at the end")
    target_second_start: float | None = column(
        "float32", "probability that the second classifier gave to the condition at the start"
    )
    target_second_end: float | None = column("float32", "probability that the second classifier gave to the condition at the end")
    set_distance_start: Mapping[int, float | None] = column_of_sizes(
        "float32", "levels between the two sets of top-{n} classes (equation 4) at the start"
    )
    set_distance_end: Mapping[int, float | None] = column_of_sizes(
        "float32", "levels between the two sets of top-{n} classes (equation 4) at the end"
    )
    first_start: list[Row] | None = column(PREDICTIONS, "the first classifier's most probable classes before")
    first_end: list[Row] | None = column(PREDICTIONS, "and after")
    second_start: list[Row] | None = column(PREDICTIONS, "the second classifier's most probable classes before")
    second_end: list[Row] | None = column(PREDICTIONS, "and after")
    picture_original: Row | None = column(IMAGE, "the real picture whose encoding the search started from; null where it did not")
    picture_start: Row | None = column(IMAGE, "g(z) before, as PNG")
    picture_end: Row | None = column(IMAGE, "g(z) after, as PNG")
    z_start: Any = column(NUMBERS, "the latent before, flattened")
    z_end: Any = column(NUMBERS, "the latent after, flattened")
    path_divergence: Any = column(NUMBERS, "D at the start and after every step")
    path_log_prior: Any = column(NUMBERS, "log p(z) along the search")
    path_delta_z: Any = column(NUMBERS, "the same as delta_z along the search")
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
    """The column of a field for n top classes: set_distance_start is set_distance_3_start."""
    return field_name.replace("set_distance", f"set_distance_{n}")


def columns_of(set_sizes: tuple[int, ...]) -> list[tuple[str, Any, str]]:
    """Name, kind and description of every column, where set distances are followed for these numbers of top classes."""
    columns = []
    for own in fields(Sample):
        kind, text = own.metadata["kind"], own.metadata["description"]
        several = [(name_of(own.name, n), kind, text.format(n=n)) for n in set_sizes]
        columns += several if "sizes" in own.metadata else [(own.name, kind, text)]
    return columns
