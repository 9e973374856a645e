"""Parts of a run that are damaged, foreign, or other than rows are, also under a name that fits their bytes."""

import random
from pathlib import Path
from typing import Any

import pyarrow as pa

from hostile import seeds
from hostile.case import Case
from hostile.records import damaged


def make(chance: random.Random, folder: Path) -> Case:
    run = seeds.copied(folder / "run")
    part = chance.choice(seeds.parts(run))
    kind = chance.random()
    if kind < 0.25:
        part.write_bytes(damaged(chance, part.read_bytes()))
    elif kind < 0.3:
        part.rename(part.with_name(chance.choice(("part-x.parquet", "part-.parquet", f"part-{'9' * 30}.parquet", part.name[5:]))))
    elif kind < 0.35:
        other = chance.choice(seeds.parts(seeds.run(1)))
        (part if chance.random() < 0.5 else part.with_name(other.name)).write_bytes(other.read_bytes())
    elif kind < 0.4:
        part.unlink()
        chance.choice((part.mkdir, lambda: part.symlink_to("nowhere"), lambda: part.symlink_to("/dev/zero")))()
    else:
        seeds.rewritten(part, lambda table: altered(chance, table))
    return Case(chance.choice(seeds.READINGS))


def altered(chance: random.Random, table: pa.Table) -> pa.Table:
    """A table in which one column or several are others than they were."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        name = chance.choice(table.column_names or ["index"])
        place = table.column_names.index(name) if name in table.column_names else -1
        kind = chance.random()
        if kind < 0.1 or place < 0:
            table = table.drop_columns([name] if place >= 0 else [])
        elif kind < 0.15:
            table = table.rename_columns([f"{n}x" if n == name else n for n in table.column_names])
        elif kind < 0.2:
            table = table.slice(0, chance.choice((0, 1)))
        elif kind < 0.25:
            table = pa.concat_tables([table, table])
        elif kind < 0.3:
            table = table.set_column(place, name, pa.array([seeds_text(chance)] * len(table)))
        else:
            field = table.schema.field(place)
            values = table.column(place).to_pylist()
            for i in range(len(values)):
                if chance.random() < 0.7:
                    values[i] = other(chance, field.type, values[i])
            table = table.set_column(place, field, pa.array(values, field.type))
    return table


def seeds_text(chance: random.Random) -> str:
    return chance.choice(("", "x", "<script>alert(1)</script>", "y" * 10_000))


def other(chance: random.Random, kind: pa.DataType, value: Any) -> Any:
    """Another value of the same type, seldom one that a run has."""
    if chance.random() < 0.15:
        return None
    if pa.types.is_struct(kind):
        value = dict(value or {})
        field = chance.choice(list(kind))
        return value | {field.name: other(chance, field.type, value.get(field.name))}
    if pa.types.is_list(kind):
        value = list(value or [])
        if value and chance.random() < 0.4:
            place = chance.randrange(len(value))
            return [*value[:place], other(chance, kind.value_type, value[place]), *value[place + 1 :]]
        return chance.choice(([], value[:1], value + value, [None] * len(value), [other(chance, kind.value_type, None)] * 3))
    if pa.types.is_boolean(kind):
        return not value
    if pa.types.is_integer(kind):
        most = 2 ** (kind.bit_width - 1)
        return chance.choice((0, 1, -1, most - 1, -most, 1000, 10, 255))
    if pa.types.is_floating(kind):
        return chance.choice((0.0, -1.0, 1e30, float("nan"), float("inf"), float("-inf"), 0.5, 2.0))
    if pa.types.is_binary(kind):
        return chance.choice((b"", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe\n", (value or b"")[:50], chance.randbytes(100), b"GIF89a"))
    return chance.choice(("", "forward", "failed", "converged", "both", "no such", seeds_text(chance)))
