"""A sweep carried out: networks loaded once for all pairs, the matrix before any search, and then pair by pair."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.comparison import bar, refuse_objects
from gevaldi.errors import GevaldiError, RunFolderError, described
from gevaldi.experiments.execute import Outcome, carried_out
from gevaldi.experiments.sweep import Sweep
from gevaldi.files import write_whole
from gevaldi.measures.sweeps import Entry
from gevaldi.runs.spec import Spec
from gevaldi.statistics.intervals import Estimate
from gevaldi.taxonomy import Taxonomy

if TYPE_CHECKING:
    from gevaldi.models import Classifier, Generator
    from gevaldi.runs.engines.base import Engine

SPEC, BEFORE = "sweep.yaml", "before.json"


@dataclass
class Networks:
    """The networks of a sweep: each is loaded when it is first needed, and kept; one that cannot be says so every time.

    Attributes:
        objects: those that only the calling program has, by their names in the specs.
    """

    objects: Mapping[str, Any] = field(default_factory=dict)
    _loaded: dict[tuple[str, str], Any] = field(default_factory=dict)
    _lost: dict[tuple[str, str], Exception] = field(default_factory=dict)

    def of(self, spec: Spec) -> Sequence[Any]:
        """The three networks of a spec."""
        return self.classifier(spec.first), self.classifier(spec.second), self.generator(spec.generator)

    def classifier(self, name: str) -> "Classifier":
        """The classifier of that name."""
        from gevaldi.classifiers import load_classifier

        found: Classifier = self._once(name, "classifier", load_classifier)
        return found

    def generator(self, name: str) -> "Generator":
        """The generator of that name."""
        from gevaldi.generators import load_generator

        found: Generator = self._once(name, "generator", load_generator)
        return found

    def _once(self, name: str, kind: str, load: Any) -> Any:
        key = (kind, name)
        if key in self._lost:
            raise self._lost[key]
        if key not in self._loaded:
            try:
                refuse_objects([] if name in self.objects else [name])
                self._loaded[key] = load(self.objects.get(name, name))
            except Exception as error:  # whatever a user's factory may raise
                self._lost[key] = error
                raise
        return self._loaded[key]


@dataclass(frozen=True)
class Before:
    """The matrices before any search.

    Attributes:
        entries: their numbers.
        failed: why classifiers are not in them, by name; under the generator's, why there are none.
    """

    entries: tuple[Entry, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


def swept(
    sweep: Sweep,
    folder: Path,
    networks: Networks,
    *,
    only: tuple[str, ...] = (),
    device: str = "auto",
    batch_size: int | None = None,
    progress: bool = False,
    taxonomy: Taxonomy | None = None,
    engine: "Engine | None" = None,
) -> Iterator[Before | Outcome]:
    """Make the matrices before any search, unless they were made before, and then every pair in its own sub-folder.

    Where `only` some pairs are asked for, the matrices before the search, which need all classifiers, are left for another time.

    Raises:
        SpecError: a setting is unknown or impossible, or `only` names a pair that there is not.
        RunFolderError: the folder cannot be written.
    """
    from gevaldi.runs.identity import hashed_once

    specs = {name: pair.spec for name, pair in sweep.pairs().items()}
    _write(folder / SPEC, written(sweep))
    before = read_before(folder, sweep)
    if before is None and not only:
        before = _before(sweep, [*specs.values()], networks, device, progress, taxonomy)
        if not before.failed:
            _write(folder / BEFORE, _as_json(sweep, before))
    yield before or Before()
    with hashed_once():
        yield from carried_out(
            specs,
            folder,
            only=only,
            device=device,
            batch_size=batch_size,
            progress=progress,
            models=networks.of,
            taxonomy=taxonomy,
            engine=engine,
        )


def _before(
    sweep: Sweep, specs: Sequence[Spec], networks: Networks, device: str, progress: bool, taxonomy: Taxonomy | None
) -> Before:
    from gevaldi.experiments.sweep_drawn import before_search
    from gevaldi.runs.session import device_of

    found, failed = {}, {}
    on = device_of(device)
    for name, model in sweep.classifiers.items():
        try:
            found[name] = networks.classifier(model)
        except Exception as error:
            failed[name] = _told(error)
    if len(found) < 2:
        return Before((), failed)
    try:
        with bar(progress) as watch:
            generator = networks.generator(sweep.generator)
            numbers, refused = before_search(sweep, specs, found, generator, on, taxonomy, watch.audited)
    except Exception as error:
        return Before((), failed | {sweep.generator: _told(error)})
    return Before(tuple(numbers), failed | refused)


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, GevaldiError) else described(error)


def written(sweep: Sweep) -> str:
    """The sweep as YAML, every setting written out."""
    import yaml

    return yaml.safe_dump(sweep.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _decides(sweep: Sweep) -> dict[str, Any]:
    """What of a sweep decides the matrices before any search."""
    settings = {key: value for key, value in sweep.settings.items() if key not in ("samples", "search", "seed")}
    kept = sweep.model_dump(mode="json", exclude={"title", "question", "prior_weights", "orders", "settings"})
    return json.loads(json.dumps(kept | {"settings": settings}, default=str))  # type: ignore[no-any-return]


def _as_json(sweep: Sweep, before: Before) -> str:
    return json.dumps({"of": _decides(sweep), "entries": [asdict(entry) for entry in before.entries]}, indent=1)


def read_before(folder: Path, sweep: Sweep) -> Before | None:
    """The matrices that were made before, where they are those of this sweep."""
    try:
        found = json.loads((folder / BEFORE).read_text(encoding="utf-8"))
        if found["of"] != _decides(sweep):
            return None
        return Before(tuple(Entry(**{**entry, "estimate": Estimate(**entry["estimate"])}) for entry in found["entries"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    except OSError as error:
        raise RunFolderError(f"{path} cannot be written: {error.strerror or error}. Give another folder with --out.") from error
