"""The samples of a run as files that other tools open: a format a file. Needs no torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gevaldi.errors import RunFolderError
from gevaldi.registry import Registry

if TYPE_CHECKING:
    from gevaldi.runs.store.run import Run
    from gevaldi.storage import Location

registry = Registry("export format", "gevaldi.exports")


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        path: the folder, or the one file in it that holds everything.
        samples: how many there are.
        pictures: how many there are of them.
        notes: what was left out and why, in sentences.
    """

    path: Path
    samples: int
    pictures: int
    notes: tuple[str, ...]


def columns() -> list[str]:
    """The columns that samples can be filtered by, without set distances for other numbers of classes than usual."""
    from gevaldi.exports._columns import columns_of
    from gevaldi.exports._filters import OF_PICTURES

    return [name for name in columns_of((1, 3, 5)) if name not in OF_PICTURES]


def export(
    run: "Run",
    to: str,
    out: "Location | None" = None,
    *,
    pictures: str = "end",
    where: Sequence[str] = (),
    top: int | None = None,
    samples: Sequence[int] | None = None,
    distinct: bool = False,
    label: str | Path | Mapping[int, str] = "condition",
    progress: bool = False,
) -> Exported:
    """Write samples of a run in a format.

    Args:
        run: complete or not.
        to: the format's name; `gevaldi.exports.registry` has them all.
        out: a folder of this machine that is empty or not there yet; by default exports/FORMAT in the run's folder, or in
            exports/NAME of the current one where the run is far away.
        pictures: end, start, or both.
        where: filters such as "order=forward" or "divergence_end>=2"; a sample has to pass all of them.
        top: only so many samples, those with the largest divergence after the search.
        samples: only the samples of these indices.
        distinct: of near-duplicates among these, only the one with the largest divergence.
        label: which class a picture is filed under: condition, first, second, agreed, a CSV file with the columns index and
            label, or a mapping from indices to names.
        progress: whether to show a progress bar.

    Raises:
        UnknownName, SpecError: there is no such format, column or label, or nothing is left to export.
        RunFolderError: the folder holds files already, or cannot be written.
    """
    from gevaldi.exports._folder import made_whole
    from gevaldi.exports._readme import readme
    from gevaldi.exports._selection import select_samples
    from gevaldi.exports.base import Export
    from gevaldi.progress import Bar

    written = registry.get(to)
    folder = out or (run.folder / "exports" / to if isinstance(run.folder, Path) else Path("exports", run.folder.name, to))
    if not isinstance(folder, Path):
        raise RunFolderError(f"{folder} is far away, and an export is made on this machine. Give a folder here, and copy it there.")
    chosen = select_samples(run, pictures, where, top, samples, label, distinct)
    with made_whole(folder) as unfinished, Bar(progress) as bar:
        about = Export(run.record, run.spec, chosen.classes, unfinished, len(chosen.indices))
        path = written(chosen.each(bar.rows), about)
        (unfinished / "README.md").write_text(readme(about, registry.documentation(to), chosen.notes), encoding="utf-8")
    return Exported(folder / path.relative_to(unfinished), len(chosen.indices), chosen.pictures, chosen.notes)
