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
        samples: the number of samples.
        pictures: the number of their pictures.
        notes: the samples left out and the reasons, in sentences.
    """

    path: Path
    samples: int
    pictures: int
    notes: tuple[str, ...]


def columns() -> list[str]:
    """The columns by which samples can be filtered, with set distances only for the default numbers of classes."""
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
        run: the run, complete or not.
        to: the name of the format; `gevaldi.exports.registry` lists them.
        out: an empty or new folder on this machine; by default exports/FORMAT in the run's folder, or exports/NAME/FORMAT in the
            current folder if the run is remote.
        pictures: end, start, both, or probable (the most probable disagreement).
        where: filters such as "order=forward" or "divergence_end>=2"; a sample has to pass all of them.
        top: at most this many samples, those with the largest divergence after the search.
        samples: only the samples with these indices.
        distinct: of near-duplicates, only the one with the largest divergence.
        label: the class of each picture: condition, first, second, agreed, a CSV file with the columns index and label (or
            what Label Studio exports), or a mapping from indices to names. Tasks for Label Studio do not show it.
        progress: whether to show a progress bar.

    Raises:
        UnknownName, SpecError: there is no such format, column or label, or no sample is left to export.
        RunFolderError: the folder already holds files, or cannot be written.
    """
    from gevaldi.exports._folder import made_whole
    from gevaldi.exports._readme import readme
    from gevaldi.exports._selection import select_samples
    from gevaldi.exports.base import Export
    from gevaldi.progress import Bar

    written = registry.get(to)
    folder = out or (run.folder / "exports" / to if isinstance(run.folder, Path) else Path("exports", run.folder.name, to))
    if not isinstance(folder, Path):
        raise RunFolderError(
            f"{folder} is remote, but an export is written to this machine. Name a local folder and copy it there."
        )
    if to == "label-studio" and label == "condition":
        label = "first"  # which every sample has: a labeller sees none, so a generator without conditions is no obstacle
    chosen = select_samples(run, pictures, where, top, samples, label, distinct)
    with made_whole(folder) as unfinished, Bar(progress) as bar:
        about = Export(run.record, run.spec, run.origin.record, chosen.classes, unfinished, len(chosen.indices), run.rate)
        path = written(chosen.each(bar.rows), about)
        (unfinished / "README.md").write_text(readme(about, registry.documentation(to), chosen.notes), encoding="utf-8")
    return Exported(folder / path.relative_to(unfinished), len(chosen.indices), chosen.pictures, chosen.notes)
