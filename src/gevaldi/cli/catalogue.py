"""Lists of names, without importing the modules that define them."""

import shutil
from importlib import import_module, resources

from gevaldi.errors import UnknownName
from gevaldi.registry import Registry, Sources, first_sentence

SOURCES = {"classifiers": "gevaldi.classifiers", "generators": "gevaldi.generators", "pictures": "gevaldi.pictures"}
REGISTRIES = {
    "divergences": "gevaldi.divergences",
    "priors": "gevaldi.priors",
    "algorithms": "gevaldi.search",
    "taxonomies": "gevaldi.taxonomy",
    "figures": "gevaldi.figures",
    "exports": "gevaldi.exports",
    "engines": "gevaldi.engines",
}
FILES = {"experiments": "gevaldi.experiments", "sweeps": "gevaldi.sweeps"}
KINDS = [*SOURCES, *REGISTRIES, *FILES]
MANY = 20  # a source with more names gets one line in a listing
FIXED = {
    "kinds": [*KINDS, "torchvision", "timm"],
    "orders": ["both", "forward", "reverse"],
    "conventions": ["published", "edges"],
    "formats": ["png", "svg", "pdf"],
    "devices": ["auto", "cpu", "cuda", "mps"],
    "stages": ["end", "start", "both", "probable"],
    "labels": ["condition", "first", "second", "agreed"],
}


def _sources(kind: str) -> Sources:
    sources = import_module(SOURCES[kind]).sources
    assert isinstance(sources, Sources)
    return sources


def _registry(kind: str) -> Registry:
    registry = import_module(REGISTRIES[kind]).registry
    assert isinstance(registry, Registry)
    return registry


def names_of(kind: str) -> list[str]:
    """All names of a kind, or of every kind."""
    if kind == "everything":
        return ["spec", *dict.fromkeys(name for k in KINDS for full in _shown(k) for name in (full, full.rpartition(":")[2]))]
    if kind == "settings":
        from gevaldi.spec import Spec, settings_of_groups

        return [f"{name}=" for name in (*Spec.model_fields, *settings_of_groups())]
    if kind == "columns":
        from gevaldi.exports import columns

        return columns()
    if kind in FIXED:
        return FIXED[kind]
    if kind in SOURCES:
        return _sources(kind).names()
    if kind == "reproductions":
        from gevaldi.reproduction.spec import reproductions

        return [*reproductions(), "all"]
    if kind in FILES:
        from gevaldi.experiments.spec import names

        return names(resources.files(FILES[kind]))
    return _registry(kind).names()


def listing(kind: str | None) -> str:
    """A table of names, each with one line of explanation. For one source of models, all its names.

    Raises:
        UnknownName: no kind or source has this name.
    """
    sources = {source for k in SOURCES for source in _sources(k).registry}
    if kind in sources and kind not in KINDS:
        names = [f"{source}:{name}" for k in SOURCES for source, name in _pairs(k) if source == kind]
        return "\n".join(names) or f"The names of {kind}: cannot be listed in advance; gevaldi show {kind} describes them."
    if kind is not None and kind not in KINDS:
        raise UnknownName("kind", kind, [*KINDS, *sources])
    return "\n\n".join(_section(k) for k in ([kind] if kind else KINDS))


def _section(kind: str) -> str:
    if kind in SOURCES:
        lines = [line for source in _sources(kind).registry for line in _lines_of(kind, source)]
    elif kind in FILES:
        import yaml

        lines = [(name, yaml.safe_load(_file(kind, name))["title"]) for name in names_of(kind)]
    else:
        lines = [(name, _registry(kind).summary(name)) for name in names_of(kind)]
    width = max(len(name) for name, _ in lines)
    room = shutil.get_terminal_size((10_000, 24)).columns - width - 4  # the whole sentence if there is no terminal
    return "\n".join([kind, *(f"  {name:<{width}}  {_clipped(text, room)}".rstrip() for name, text in lines)])


def _file(kind: str, name: str) -> str:
    from gevaldi.experiments.spec import text_of

    return text_of(name, resources.files(FILES[kind]))


def _shown(kind: str) -> list[str]:
    """The names to complete for `gevaldi show`; a source with many names is represented by its own."""
    if kind not in SOURCES:
        return names_of(kind)
    registry = _sources(kind).registry
    named = {source: registry.get(source)().names() for source in registry}
    return [full for s, names in named.items() for full in ([f"{s}:{n}" for n in names] if len(names) <= MANY else [s])]


def _pairs(kind: str) -> list[tuple[str, str]]:
    registry = _sources(kind).registry
    return [(source, name) for source in registry for name in registry.get(source)().names()]


def _lines_of(kind: str, source: str) -> list[tuple[str, str]]:
    """One line per name, or one for the whole source if it has many names or cannot list them."""
    registry = _sources(kind).registry
    names = registry.get(source)().names()
    if 0 < len(names) <= MANY:
        return [(f"{source}:{name}", summary(name) or registry.summary(source)) for name in names]
    where = f"{len(names):,} names: gevaldi list {source}. " if names else ""
    return [(f"{source}:…", where + registry.summary(source))]


def _clipped(text: str, room: int) -> str:
    return text if len(text) <= room or room < 20 else text[: room - 1].rstrip() + "…"


def card(name: str) -> str | None:
    """The card of a bundled model, or of a family of models that differ in their seeds."""
    weights, file = resources.files("gevaldi.bundled") / "weights", f"{name.partition(',')[0].rpartition(':')[2]}.md"
    folders = [weights, *(folder for folder in weights.iterdir() if folder.is_dir())]
    cards = [path for folder in folders for path in folder.iterdir() if path.name == file]
    return cards[0].read_text(encoding="utf-8") if cards else None


def summary(name: str) -> str:
    """The first sentence of a bundled model's card."""
    text = card(name)
    return first_sentence(text.split("\n\n", 1)[1]) if text else ""


def settings() -> str:
    """Every setting of a spec with its default and description, as a YAML file."""
    import json

    from gevaldi.spec import GROUPS, Spec

    lines = ["The settings of a run, as `gevaldi compare --spec FILE` reads them and every run writes them (spec.yaml).", ""]
    for title, fields in (("", Spec.model_fields), *((name, group.model_fields) for name, group in GROUPS.items())):
        lines += [f"{title}:"] if title else []
        for key, field in fields.items():
            if key not in GROUPS:
                default = "..." if field.is_required() else json.dumps(field.default)
                lines += [("  " if title else "") + line for line in (f"# {field.description}", f"{key}: {default}")]
    return "\n".join(lines)


def documentation(name: str) -> str:
    """A bundled model's card, the documentation of a divergence, prior, algorithm or source, or the outline of a taxonomy file.

    Raises:
        UnknownName: nothing has this name.
    """
    from gevaldi.taxonomy import outline, read_taxonomy
    from gevaldi.taxonomy.labels import FILES as OF_LABELS

    if text := card(name):
        same = [f"{name} ({_registry(k).kind})\n\n{_registry(k).documentation(name)}" for k in REGISTRIES if name in _registry(k)]
        return "\n\n".join([text.rstrip(), *same])
    if name == "spec":
        return settings()
    if kind := next((kind for kind in FILES if name in names_of(kind)), None):
        return _file(kind, name)
    if name.endswith(OF_LABELS):
        return outline(read_taxonomy(name))
    stem = name.partition(",")[0].partition(":")[0]
    stem = next((source for k in SOURCES for source, known in _pairs(k) if known == stem), stem)
    registries = [*(_registry(kind) for kind in REGISTRIES), *(_sources(kind).registry for kind in SOURCES)]
    texts = [f"{stem} ({registry.kind})\n\n{registry.documentation(stem)}" for registry in registries if stem in registry.names()]
    if not texts:
        raise UnknownName(
            "model, setting or part", name, [*names_of("everything"), *(n.partition(":")[2] for k in SOURCES for n in names_of(k))]
        )
    return "\n\n".join(texts)
