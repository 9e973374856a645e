"""What can be named, read without importing what bears the names."""

from importlib import import_module, resources

from gevaldi.errors import UnknownName
from gevaldi.registry import Registry, Sources

SOURCES = {"classifiers": "gevaldi.classifiers", "generators": "gevaldi.generators", "pictures": "gevaldi.pictures"}
REGISTRIES = {"divergences": "gevaldi.divergences", "priors": "gevaldi.priors", "algorithms": "gevaldi.search"}
KINDS = [*SOURCES, *REGISTRIES]


def _sources(kind: str) -> Sources:
    found = import_module(SOURCES[kind]).sources
    assert isinstance(found, Sources)
    return found


def _registry(kind: str) -> Registry:
    found = import_module(REGISTRIES[kind]).registry
    assert isinstance(found, Registry)
    return found


def names_of(kind: str) -> list[str]:
    """All names of a kind, or of every kind."""
    if kind == "everything":
        return [name for kind in KINDS for name in names_of(kind)]
    if kind in SOURCES:
        return _sources(kind).names()
    return _registry(kind).names()


def listing(kind: str | None) -> str:
    """A table of names with a line of explanation each.

    Raises:
        UnknownName: there is no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    return "\n\n".join(_section(k) for k in ([kind] if kind else KINDS))


def _section(kind: str) -> str:
    if kind in SOURCES:
        lines = [(name, summary(name)) for name in names_of(kind)]
        registry = _sources(kind).registry
        lines += [(f"{s}:…", registry.summary(s)) for s in registry if not registry.get(s)().names()]
    else:
        lines = [(name, _registry(kind).summary(name)) for name in names_of(kind)]
    width = max(len(name) for name, _ in lines)
    return "\n".join([kind, *(f"  {name:<{width}}  {text}".rstrip() for name, text in lines)])


def card(name: str) -> str | None:
    """The card of a bundled model."""
    path = resources.files("gevaldi.bundled") / "weights" / f"{name.rpartition(':')[2]}.md"
    return path.read_text(encoding="utf-8") if path.is_file() else None


def summary(name: str) -> str:
    """The first sentence of a bundled model's card."""
    text = card(name)
    return text.split("\n\n")[1].split("\n")[0] if text else ""


def documentation(name: str) -> str:
    """A bundled model's card, or the documentation of a divergence, prior, algorithm or source.

    Raises:
        UnknownName: nothing bears that name.
    """
    if text := card(name):
        return text.rstrip()
    stem = name.partition(",")[0].partition(":")[0]
    registries = [*(_registry(kind) for kind in REGISTRIES), *(_sources(kind).registry for kind in SOURCES)]
    found = [f"{stem} ({registry.kind})\n\n{registry.documentation(stem)}" for registry in registries if stem in registry.names()]
    if not found:
        raise UnknownName("thing", name, [*names_of("everything"), *(n.partition(":")[2] for k in SOURCES for n in names_of(k))])
    return "\n\n".join(found)
