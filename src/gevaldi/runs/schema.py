"""What a row holds: one sample, in columns that pandas, polars, DuckDB, `datasets` and FiftyOne read without our code."""

import json
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

Row = dict[str, Any]

FORMAT = 5  # of run folders; raised when an older program could no longer read what a newer one writes

TOP = 5  # how many of a classifier's most probable classes a row keeps

ORDERS = ("forward", "reverse")


@cache
def schema(set_sizes: tuple[int, ...] = (1, 3, 5)) -> "pa.Schema":
    """The columns, with what each holds as its field's metadata; set distances are followed for these numbers of classes."""
    import pyarrow as pa

    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    prediction = pa.struct([("label", pa.int32()), ("name", pa.string()), ("id", pa.string()), ("probability", pa.float32())])
    top, path, top_path = pa.list_(prediction), pa.list_(pa.float32()), pa.list_(pa.list_(pa.int32()))
    columns: list[tuple[str, pa.DataType, str]] = [
        ("index", pa.int64(), "number of the sample in the run; both orders of one start are neighbours"),
        ("seed", pa.int64(), "the sample's noise is a function of it"),
        ("candidate", pa.int32(), "which of the draws for this row was searched to the end, counted from 0"),
        ("order", pa.string(), "forward: D[first || second] was raised; reverse: D[second || first]"),
        ("condition", pa.int32(), "index of what the generator was asked for; null if it takes no condition"),
        ("condition_name", pa.string(), "its name"),
        ("condition_id", pa.string(), "its id in a taxonomy, where it has one"),
        ("status", pa.string(), "converged, out of steps, or failed"),
        ("error", pa.string(), "why it failed; otherwise null"),
        ("steps", pa.int32(), "steps taken"),
        ("step_end", pa.int32(), "the step with the largest objective, to which all columns of the end belong; a sampler's last"),
        ("divergence_start", pa.float32(), "D before, in the divergence's unit"),
        ("divergence_end", pa.float32(), "D after, at step_end"),
        ("log_prior_start", pa.float32(), "log p(z) before, in nats"),
        ("log_prior_end", pa.float32(), "log p(z) after"),
        ("typicality_start", pa.float32(), "share of the prior nearer its centre than the latent, before"),
        ("typicality_end", pa.float32(), "the same after; above 0.999 the picture is hardly one that the generator draws"),
        ("delta_z", pa.float32(), "|z - z_start| / |z|: how far the search went, relative to where it ended"),
        (
            "held",
            pa.bool_(),
            "both name the same top classes on the stored 8-bit picture, by their official pipelines where they have one",
        ),
        (
            "differ_by_chance",
            pa.bool_(),
            "top classes differ as far from the start as the search ended, in a direction drawn at random",
        ),
        ("asked_labels", pa.list_(pa.int32()), "indices of the classes compared that are the condition; empty where none is"),
        ("flipped", pa.string(), "which classifiers' top class the search changed: neither, first, second, both"),
        (
            "shift",
            pa.string(),
            "how far, in the hierarchy: same level, near, lateral; null where neither flipped, or without hierarchy",
        ),
        ("shift_first", pa.float32(), "levels from the first classifier's top class before to the one after"),
        ("shift_second", pa.float32(), "levels from the second classifier's top class before to the one after"),
        ("right_start", pa.string(), "which of the two named the condition before: neither, first, second, both"),
        ("right_end", pa.string(), "and after"),
        ("surer", pa.bool_(), "both name the condition after, each with more probability than before"),
        *(
            (f"asked_{who}_{moment}", pa.float32(), f"probability that the {who} classifier gave to the condition at the {moment}")
            for who in ("first", "second")
            for moment in ("start", "end")
        ),
        *(
            (
                f"set_distance_{n}_{moment}",
                pa.float32(),
                f"levels between the two sets of top-{n} classes (equation 4) at the {moment}",
            )
            for n in set_sizes
            for moment in ("start", "end")
        ),
        ("first_start", top, "the first classifier's most probable classes before"),
        ("first_end", top, "and after"),
        ("second_start", top, "the second classifier's most probable classes before"),
        ("second_end", top, "and after"),
        ("picture_original", image, "the real picture whose encoding the search started from; null where it did not"),
        ("picture_start", image, "g(z) before, as PNG"),
        ("picture_end", image, "g(z) after, as PNG"),
        ("z_start", path, "the latent before, flattened"),
        ("z_end", path, "the latent after, flattened"),
        ("path_divergence", path, "D at the start and after every step"),
        ("path_log_prior", path, "log p(z) along the search"),
        ("path_delta_z", path, "the same as delta_z along the search"),
        *((f"path_set_distance_{n}", path, f"set_distance_{n} along the search") for n in set_sizes),
        ("path_pictures", pa.list_(image), "g(z) at some steps from the start to the end, as PNG or, above 64 pixels, as WebP"),
        ("path_picture_steps", pa.list_(pa.int32()), "the steps of path_pictures: 0, 1, 2, 4, 8 ... and step_end"),
        ("path_first", top_path, "indices of the first classifier's most probable classes along the search"),
        ("path_second", top_path, "indices of the second classifier's most probable classes along the search"),
    ]
    fields = [pa.field(name, kind, metadata={"description": text}) for name, kind, text in columns]
    pictures = {name: {"_type": "Image"} for name in ("picture_original", "picture_start", "picture_end")}
    features = pictures | {"path_pictures": {"feature": {"_type": "Image"}, "_type": "List"}}
    return pa.schema(
        fields,
        metadata={
            "gevaldi": json.dumps({"format": FORMAT}),
            "huggingface": json.dumps({"info": {"features": _features(fields, features)}}),
        },
    )


def _features(fields: "list[pa.Field]", images: dict[str, Any]) -> dict[str, Any]:
    """The columns in the words of `datasets`, which decodes pictures only if it finds all of them described."""
    return {field.name: images.get(field.name) or _feature(field.type) for field in fields}


def _feature(kind: "pa.DataType") -> Any:
    import pyarrow as pa

    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    if pa.types.is_struct(kind):
        return {field.name: _feature(field.type) for field in kind}
    return {"dtype": {"float": "float32"}.get(str(kind), str(kind)), "_type": "Value"}
