"""Begins a run or resumes it: checks the networks, audits the generator and writes the record."""

from collections import abc
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import torch

from gevaldi.alignment import align
from gevaldi.classifiers._official import check_official
from gevaldi.contract import check_contract, refuse_same
from gevaldi.divergences import divergence
from gevaldi.divergences.kl import kl
from gevaldi.errors import ContractError, GevaldiError, RunFolderError, SpecError, describe_error
from gevaldi.execution.autotune import plan_of
from gevaldi.execution.plan import ExecutionPlan
from gevaldi.fingerprints import describe, describe_divergence, device_name, differing, versions
from gevaldi.models import Classifier, Generator, passes_gradients
from gevaldi.names import OBJECT
from gevaldi.objective import Objective
from gevaldi.provenance import as_lines, record_files
from gevaldi.runs.checks.audit import AuditResult, OnProgress, audit, audit_warnings
from gevaldi.runs.checks.preprocessing import range_warnings
from gevaldi.runs.hierarchy import hierarchy_of, taxonomy_of_spec
from gevaldi.runs.start import chosen_conditions
from gevaldi.runs.store.files import write_in_run
from gevaldi.runs.store.pictures import content_of
from gevaldi.runs.store.run import Run
from gevaldi.runs.worker.setup import Models
from gevaldi.search import registry as algorithms
from gevaldi.spec import Spec, differences, write_spec
from gevaldi.storage import Location, read
from gevaldi.taxonomy import Taxonomy
from gevaldi.taxonomy.labels import are_only_numbers
from gevaldi.taxonomy.read import taxonomy_as_json
from gevaldi.wrappers.listening import listening


def device_of(name: str) -> torch.device:
    """The device of this name; `auto` is the first GPU, if there is one.

    Raises:
        SpecError: this machine has no such device.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
        if device.type not in ("cpu", "cuda", "mps"):
            raise RuntimeError(f"{device.type} devices are not supported")
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).partition("\n")[0]
        raise SpecError(f"The device {name!r} cannot be used here: {reason}. Use auto, cpu, cuda, cuda:1 or mps.") from None
    return device


def models_of(
    spec: Spec,
    first: Classifier,
    second: Classifier,
    generator: Generator,
    device: torch.device,
    begun: Run | None = None,
    taxonomy: Taxonomy | None = None,
    batch_size: int | None = None,
    threads: int | None = None,
) -> Models:
    """The models for workers, from loaded networks and the names in a spec, with their execution plan.

    A run that was `begun` before keeps its plan. `taxonomy`, `batch_size` and `threads` take precedence over the spec's.

    Raises:
        ContractError: the classifiers have different classes, and nothing says which correspond; or they are the same network.
        SpecError, TaxonomyError, UnknownName: a name or an option is invalid.
    """
    with record_files() as files:
        requested = taxonomy_of_spec(spec, taxonomy, begun)
        first, second = (listening(side, generator.sound) for side in (first, second))
        alignment = align(first, second, spec.first_classes, spec.second_classes, requested)
        first, second = alignment.first, alignment.second
        if len(first.labels) < 2:
            raise ContractError(
                f"{spec.first.removeprefix(OBJECT)} and {spec.second.removeprefix(OBJECT)} are compared over one class "
                f"({first.labels[0].name}), so they cannot differ. Compare classifiers with two common classes or more."
            )
        if begun is None:
            refuse_same(first, second, generator, (spec.first.removeprefix(OBJECT), spec.second.removeprefix(OBJECT)), device)
        hierarchy = hierarchy_of(spec, requested, first.labels, second.labels, device)
        raised = divergence(spec.divergence, len(first.labels), hierarchy.taxonomy if hierarchy else None)
        algorithm = algorithms.build(spec.search.algorithm)
        blind = black_boxes(spec, first, second)
        if blind and algorithm.needs_gradient and algorithm.needs_both:
            raise SpecError(
                f"search.algorithm={spec.search.algorithm} needs gradients, and none passes through {' and '.join(blind)}. Say "
                "search.algorithm=cma-es or hybrid with search.steps=500, or lend the gradients of a network that is like it: "
                f"surrogate:({blind[0]})+(NETWORK)."
            )
    tuning = None
    if begun:
        plan = ExecutionPlan.recorded_plan(begun.record["execution"], device)
    else:
        has_gradient = len(blind) < (1 if algorithm.needs_both else 2)
        objective = Objective(first, second, generator, kl, prior_weight=0.0, has_gradient=has_gradient)
        plan, tuning = plan_of(spec, objective, device, batch_size, threads)
    return Models(first, second, generator, raised, algorithm, device, plan, hierarchy, alignment, tuning, files)


def black_boxes(spec: Spec, first: Classifier, second: Classifier) -> list[str]:
    """The names of the classifiers through which no gradient passes."""
    sides = ((spec.first, first), (spec.second, second))
    return [name.removeprefix(OBJECT) for name, classifier in sides if not passes_gradients(classifier)]


def open_run(
    folder: Location,
    spec: Spec,
    models: Models,
    command: str,
    on_progress: OnProgress = lambda done, total: None,
    about: abc.Mapping[str, str] | None = None,
) -> Run:
    """Begin the run of a spec in a folder, or reopen it if it was begun before.

    The networks must be on the device. Checks the contract; for a new run, also audits the generator and calls `on_progress`
    after every batch. `about` holds the report's title, note and author.

    Raises:
        RunFolderError: the folder holds a run of another spec, or of networks with other weights.
        ContractError: a network breaks the contract.
    """
    conditions = chosen_conditions(spec, models.generator.conditions)
    warnings = check_contract(models.first, models.second, models.generator, models.device, models.plan.dtype)
    _check_pipelines(models, conditions)
    described = describe(models.first, models.second, models.generator, spec)
    run = Run.begun(folder)
    if run is not None:
        _check_same(run, spec, models, described)
        run = run.grown(spec.samples) if spec.samples > run.spec.samples else run
        _write_beside(run, models)
        return run
    _refuse_equal_candidates(spec, models)
    with record_files() as files:
        files |= {**models.files, **models.first.files, **models.second.files, **models.generator.files}
        audited, trouble = _run_audit(models, conditions, spec, on_progress)
    inputs = as_lines(files).encode(errors="surrogateescape")
    pictures = content_of(audited.pictures) if audited else None
    divergence_record = describe_divergence(spec.divergence, models.divergence)
    if divergence_record["symmetric"] and len(spec.searches) > 1:
        trouble.append(
            f"{divergence_record['name']} is symmetric, so both orders run the same search. One is enough (orders: forward)."
        )
    if blind := black_boxes(spec, models.first, models.second):
        trouble.append(
            f"No gradient passes through {' and '.join(blind)}, so searches are by {spec.search.algorithm}, which evaluates "
            f"{spec.search.steps:,} pictures each, and second searches by cma-es too."
        )
    if models.generator.sound and not models.sound:
        trouble.append("Rows hold no sound, because its packages are not installed: pip install 'gevaldi[sound]'.")
    trouble += hierarchy_warnings(spec, models) + repeated_starts(spec, models, conditions)
    record = {
        "models": described,
        "divergence": divergence_record,
        "alignment": models.alignment.record() if models.alignment else None,
        "taxonomy": models.hierarchy.record() if models.hierarchy else None,
        "versions": versions(),
        "device": device_name(models.device),
        "execution": {
            "device": str(models.device),
            **models.plan.record(),
            "tuning": models.tuning.record() if models.tuning else None,
        },
        "command": command,
        "about": {key: text.strip() for key, text in (about or {}).items() if text.strip()},
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "audit": audited.audit if audited else None,
        "evaluation": audited.evaluation if audited else None,
        "pictures": {"sha256": sha256(pictures).hexdigest()} if pictures else None,
        "warnings": warnings + trouble,
        "inputs": {"files": len(files), "sha256": sha256(inputs).hexdigest()},
    }
    run = Run.create(folder, spec, record, inputs, pictures)
    _write_beside(run, models)
    return run


@torch.no_grad()
def _check_pipelines(models: Models, conditions: abc.Sequence[int]) -> None:
    """Try each classifier's own pipeline on a picture of the generator before the search, after which every sample needs it.

    Raises:
        ContractError: it fails.
    """
    condition = torch.tensor([conditions[0] if conditions else 0], device=models.device)
    (picture,) = models.generator(models.draw_latents([0]), condition)
    for side in ("first", "second"):
        check_official(models.classifier(side), picture, f"{side} classifier")


def _write_beside(run: Run, models: Models) -> None:
    """Write the spec and the hierarchy beside the record, unless they are there and current."""
    beside = {"taxonomy": "taxonomy.json"} if models.hierarchy and run.spec.names_own_taxonomy else {}
    spec = write_spec(run.spec.model_copy(update=beside)).encode()
    if not run.has("spec.yaml") or read(run.folder / "spec.yaml") != spec:  # a run may have grown
        write_in_run(run.folder / "spec.yaml", spec)
    if models.hierarchy and not run.has("taxonomy.json"):
        write_in_run(run.folder / "taxonomy.json", taxonomy_as_json(models.hierarchy.whole).encode())


def _run_audit(models: Models, conditions: list[int], spec: Spec, on_progress: OnProgress) -> tuple[AuditResult | None, list[str]]:
    """The audit and its warnings, or only a warning if the networks fail on one of its pictures.

    The search can still start from other pictures.
    """
    try:
        audited = audit(models, conditions, spec, on_progress)
    except GevaldiError:
        raise
    except Exception as error:
        return None, [f"The audit of the generator failed. {describe_error(error)}"]
    unknown = [audited.unknown] if audited.unknown else []
    return audited, unknown + audit_warnings(audited.audit) + range_warnings(models, conditions, spec)


def hierarchy_warnings(spec: Spec, models: Models) -> list[str]:
    """Warnings about labels: matched to the hierarchy by position, or too few have ids for a bundled hierarchy to apply."""
    labels = models.first.labels
    named = [(label.name, label.id) for label in labels]
    known = models.hierarchy.taxonomy if models.hierarchy else None
    if known and are_only_numbers(named) and [name for name, _ in named] != [known.name(node) for node in known.classes]:
        return [
            f"The labels are only numbers, so they were matched to the hierarchy's classes by position: {labels[0].name} to "
            f"{known.name(known.classes[0])!r}, {labels[-1].name} to {known.name(known.classes[-1])!r}."
        ]
    lacking = [label.name for label, other in zip(labels, models.second.labels, strict=True) if not (label.id or other.id)]
    if models.hierarchy or spec.taxonomy != "auto" or len(lacking) == len(labels):
        return []
    why = (
        f"{len(lacking)} of {len(labels)} classes have no id ({', '.join(lacking[:3])})"
        if lacking
        else "no bundled one has all their ids"
    )
    return [
        f"No hierarchy of the classes is used: {why}. Leave classes out with first_classes and second_classes, for example "
        "first_classes.background=null, or name a hierarchy: --taxonomy FILE."
    ]


def _refuse_equal_candidates(spec: Spec, models: Models) -> None:
    """Refuse several candidates if they would all be equal.

    Raises:
        SpecError: searches start at zero, so all candidates for a row are the same.
    """
    if spec.search.candidates > 1 and models.generator.starts_at_zero:
        raise SpecError(
            f"search.candidates={spec.search.candidates} was given, but searches with {spec.generator} all start at the latent of "
            "the picture itself, so all candidates are equal. Leave it out, and give the generator more pictures."
        )


def repeated_starts(spec: Spec, models: Models, conditions: list[int]) -> list[str]:
    """A warning if deterministic searches share starts, and so find the same samples."""
    different = max(1, len(conditions))
    if not (models.generator.starts_at_zero and models.algorithm.converges and spec.samples > different):
        return []
    return [
        f"{spec.samples} searches start from {different} pictures, and searches from the same picture find the same sample. Give "
        f"the generator more pictures (count={spec.samples}), or set samples to {different}."
    ]


def _changes(keys: list[str]) -> str:
    """The properties of a network that changed, in words."""
    words = {
        "sha256": "its weights have changed since",
        "settings": "its settings have changed since",
        "files": "its source has changed since",
    }
    other = [key for key in keys if key not in words]
    return ", ".join([*(words[key] for key in keys if key in words), *([f"it has another {', '.join(other)}"] if other else [])])


def _check_same(run: Run, spec: Spec, models: Models, described: dict[str, Any]) -> None:
    mine, theirs = ({key: value for key, value in s.deciding.items() if key != "taxonomy"} for s in (spec, run.spec))
    if mine != theirs:
        raise RunFolderError(
            f"{run.folder} holds a run of another spec ({'; '.join(differences(mine, theirs))}). Give another folder with --out, "
            f"or resume that run: gevaldi resume {run.folder}"
        )
    taxonomy, known = (models.hierarchy.record() if models.hierarchy else {}), run.record.get("taxonomy") or {}
    if taxonomy.get("sha256") != known.get("sha256"):
        how = "it has changed since" if taxonomy.get("name") == known.get("name") else "not the same one"
        raise RunFolderError(
            f"{run.folder} was started with another hierarchy of the classes ({known.get('name', 'none')} there, "
            f"{taxonomy.get('name', 'none')} here: {how}). Give another folder with --out, or resume the run with its own "
            f"hierarchy: gevaldi resume {run.folder}"
        )
    alignment = models.alignment.record() if models.alignment else None
    if alignment != run.record.get("alignment"):
        raise RunFolderError(
            f"{run.folder} was started with other labels or another alignment of them, so new rows would not match its rows. "
            "Give another folder with --out."
        )
    for side, model in described.items():
        before = run.record["models"][side]
        if changed := differing(model, before):
            raise RunFolderError(
                f"{run.folder} was started with another {side} ({model['name']}): {_changes(changed)}, so new rows would not "
                "match its rows. Give another folder with --out."
            )
