"""Runs a sweep: loads networks once for all pairs, computes the matrices before any search, and then runs pair by pair."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gevaldi.compute import Compute
from gevaldi.documents import parse
from gevaldi.errors import GevaldiError, RunFolderError, SpecError, UnknownName, describe_error
from gevaldi.experiments.execute import Outcome, run_all
from gevaldi.files import write_whole
from gevaldi.jobs import bar, refuse_objects
from gevaldi.measures.sweeps import Entry
from gevaldi.runs.store.run import Run
from gevaldi.spec import Spec, differences
from gevaldi.statistics.intervals import Estimate
from gevaldi.storage import Location, read
from gevaldi.sweeps.spec import Sweep
from gevaldi.taxonomy import Taxonomy

if TYPE_CHECKING:
    from gevaldi.models import Classifier, Generator

SPEC, BEFORE = "sweep.yaml", "before.json"


@dataclass
class Networks:
    """The networks of a sweep. Each is loaded once, on first use; one that fails to load raises its error every time.

    Attributes:
        objects: networks that exist only in the calling program, by their names in the specs.
    """

    objects: Mapping[str, Any] = field(default_factory=dict)
    _loaded: dict[tuple[str, str], Any] = field(default_factory=dict)
    _lost: dict[tuple[str, str], Exception] = field(default_factory=dict)

    def of(self, spec: Spec) -> Sequence[Any]:
        """The three networks of a spec."""
        return self.classifier(spec.first), self.classifier(spec.second), self.generator(spec.generator)

    def classifier(self, name: str) -> "Classifier":
        """The classifier of this name."""
        from gevaldi.classifiers import load_classifier

        network: Classifier = self._once(name, "classifier", load_classifier)
        return network

    def generator(self, name: str) -> "Generator":
        """The generator of this name."""
        from gevaldi.generators import load_generator

        network: Generator = self._once(name, "generator", load_generator)
        return network

    def hashes(self) -> dict[str, Any]:
        """Hashes of the weights and settings of the objects, by name, which tell other objects of the same names.

        An object that is not a network has none; its comparisons report the problem.
        """
        hashes = {}
        for name, network in self.objects.items():
            try:
                hashes[name] = _hashes(self.generator(name) if hasattr(network, "prior") else self.classifier(name), name)
            except Exception:  # an object that is not a network may raise anything
                hashes[name] = {}
        return hashes

    def has(self, name: str) -> bool:
        """Whether the classifier of this name can be loaded."""
        try:
            self.classifier(name)
        except Exception:  # whatever a user's factory may raise
            return False
        return True

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


def _hashes(network: Any, name: str) -> dict[str, Any]:
    from gevaldi.fingerprints import describe_network, hash_of_prior

    record = describe_network(network, name)
    own = {"prior_sha256": hash_of_prior(network.prior)} if hasattr(network, "prior") else {}
    return {"sha256": record["sha256"], "settings": record["settings"], **own}


@dataclass(frozen=True)
class Before:
    """The matrices before any search.

    Attributes:
        entries: their numbers.
        failed: why classifiers are missing from them, by name; or why there are none, under the generator's name or all of them.
        lost: classifiers that could not be loaded.
    """

    entries: tuple[Entry, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    lost: tuple[str, ...] = ()


def run_sweep(
    sweep: Sweep,
    folder: Path,
    networks: Networks,
    compute: Compute,
    *,
    only: tuple[str, ...] = (),
    taxonomy: Taxonomy | None = None,
) -> Iterator[Before | Outcome]:
    """Compute the matrices before any search, unless they exist, and then every pair in its own sub-folder.

    If `only` selects some pairs, skips new matrices before the search, which need all classifiers. Recomputes matrices that lack a
    classifier once it can be loaded.

    Raises:
        SpecError: a setting is unknown or invalid, or `only` names an unknown pair.
        RunFolderError: the folder cannot be written, holds a single run, or its comparisons have other settings.
    """
    from gevaldi.fingerprints import hashed_once
    from gevaldi.runs.checks.shown import audited_once
    from gevaldi.taxonomy.read import taxonomy_as_json

    specs = {name: pair.spec for name, pair in sweep.pairs().items()}
    if unknown := [name for name in only if name not in specs]:
        raise SpecError(str(UnknownName("comparison in this sweep", unknown[0], specs)))
    _refuse_others(folder, specs)
    _write(folder / SPEC, as_yaml(sweep))
    hierarchy = taxonomy_as_json(taxonomy) if taxonomy else None

    def same(spec: Spec, run: Run) -> bool:
        models = run.record.get("models", {})
        names = {"first": spec.first, "second": spec.second, "generator": spec.generator}
        known = [bool(apart[n]) and apart[n].items() <= models.get(side, {}).items() for side, n in names.items() if n in apart]
        return all(known) and (hierarchy is None or _text_of(run.folder / "taxonomy.json") == hierarchy)

    with hashed_once(), audited_once():
        apart = networks.hashes()
        decides = _decides(sweep) | {"objects": apart, "hierarchy": hierarchy and sha256(hierarchy.encode()).hexdigest()}
        before = read_before(folder, decides)
        if not only and (before is None or any(map(networks.has, (sweep.classifiers.get(name, name) for name in before.lost)))):
            before = _before(sweep, [*specs.values()], networks, compute, taxonomy)
            if before.entries and not _belongs_to_others(folder, specs, apart):
                _write(folder / BEFORE, _as_json(decides, before))
        yield before or Before()
        yield from run_all(specs, folder, compute, only=only, models=networks.of, taxonomy=taxonomy, same=same)


def _refuse_others(folder: Path, specs: Mapping[str, Spec]) -> None:
    """Refuse to mix comparisons with different settings, before anything is written.

    Raises:
        RunFolderError: a comparison of the same name began with other settings, or the folder is itself one comparison.
    """
    if (folder / "run.json").exists():
        raise RunFolderError(
            f"{folder} holds a single run (it has run.json), with which a sweep would mix. Give a new folder with --out. "
            f"To view the run: gevaldi report {folder}"
        )
    for name, spec in specs.items():
        try:
            begun = Run.begun(folder / name)
        except RunFolderError:  # its comparison reports the error
            continue
        # the run's spec names its own copy of a user's hierarchy
        mine, theirs = (one.model_dump(mode="json", exclude={"speed", "taxonomy"}) for one in (spec, begun.spec if begun else spec))
        if other := differences(mine, theirs):
            raise RunFolderError(
                f"{folder} holds a sweep with other settings: {name} was started with others ({'; '.join(other)}). Give another "
                f"folder with --out, or resume that sweep: gevaldi sweep {folder / SPEC} --out {folder}"
            )


def others_in(folder: Path, sweep: Sweep) -> dict[str, Spec]:
    """The comparisons in the folder, finished or not, that are not part of this sweep, and so not in its tables."""
    others, own = {}, sweep.pairs()
    for path in sorted(folder.glob("*/run.json")):
        if path.parent.name not in own:
            with contextlib.suppress(GevaldiError):  # an unreadable comparison could not be included again
                others[path.parent.name] = Run.open(path.parent).spec
    return others


def _belongs_to_others(folder: Path, specs: Mapping[str, Spec], apart: Mapping[str, Any]) -> bool:
    """Whether the folder has matrices and comparisons of other objects with these names, which must stay together."""
    try:
        known = _read(folder / BEFORE)["of"]["objects"]
        other = any(known[name] != apart[name] for name in known if name in apart)
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return other and any((folder / name / "run.json").exists() for name in specs)


def _text_of(path: Location) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _before(sweep: Sweep, specs: Sequence[Spec], networks: Networks, compute: Compute, taxonomy: Taxonomy | None) -> Before:
    from gevaldi.runs.session import device_of
    from gevaldi.runs.worker.search import lacks_memory
    from gevaldi.sweeps.unsearched import before_search

    loaded, failed = {}, {}
    on = device_of(compute.device)
    for name, model in sweep.classifiers.items():
        try:
            loaded[name] = networks.classifier(model)
        except Exception as error:
            failed[name] = _words(error)
    lost = tuple(failed)
    if len(loaded) < 2:
        return Before((), failed, lost)
    try:
        with bar(compute.progress) as watch:
            generator = networks.generator(sweep.generator)
            numbers, refused = before_search(sweep, specs, loaded, generator, on, taxonomy, watch.audited)
    except Exception as error:
        if lacks_memory(error):
            why = (
                f"{on} has too little memory for them at once, so there are no matrices before the search. To get them, use "
                "--device cpu, or fewer classifiers; a comparison needs only two at a time."
            )
            return Before((), failed | {f"All {len(loaded)} classifiers together": why}, lost)
        return Before((), failed | {sweep.generator: _words(error)}, lost)
    return Before(tuple(numbers), failed | refused, lost)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, GevaldiError) else describe_error(error)


def as_yaml(sweep: Sweep) -> str:
    """The sweep as YAML, with every setting."""
    import yaml

    return yaml.safe_dump(sweep.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _decides(sweep: Sweep) -> dict[str, Any]:
    """The parts of a sweep that determine the matrices before any search."""
    settings = {key: value for key, value in sweep.settings.items() if key not in ("samples", "search", "seed")}
    deciding = sweep.model_dump(mode="json", exclude={"title", "question", "prior_weights", "orders", "settings"})
    return json.loads(json.dumps(deciding | {"settings": settings}, default=str))  # type: ignore[no-any-return]


def _as_json(decides: Mapping[str, Any], before: Before) -> str:
    return json.dumps({"of": decides, **asdict(before)}, indent=1)


def before_of(folder: Path, sweep: Sweep) -> Before | None:
    """The stored matrices of this sweep, whatever objects it used; None if there are none."""
    return read_before(folder, _decides(sweep))


def read_before(folder: Path, decides: Mapping[str, Any]) -> Before | None:
    """The stored matrices, if everything that determines them is the same; otherwise None."""
    try:
        stored = _read(folder / BEFORE)
        if any(stored["of"][key] != value for key, value in decides.items()):
            return None
        numbers = tuple(Entry(**{**entry, "estimate": Estimate(**entry["estimate"])}) for entry in stored["entries"])
        return Before(numbers, stored["failed"], tuple(stored["lost"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _read(path: Path) -> Any:
    return parse(read(path).decode(), ".json")


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    except OSError as error:
        raise RunFolderError(f"{path} cannot be written: {error.strerror or error}. Give another folder with --out.") from error
