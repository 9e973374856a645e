"""The reference of the Python package, as Markdown from its docstrings. Nothing is imported but lists of names."""

import inspect
from functools import cache
from pathlib import Path

import griffe

import gevaldi

SOURCES = Path(__file__).parents[2] / "src"
PYTHON = [f"{gevaldi._HOMES[name]}.{name}" for name in sorted(gevaldi.__all__, key=lambda name: (name[0].isupper(), name.lower()))]
RESULTS = [
    "gevaldi.measures.evaluation.Evaluation",
    "gevaldi.measures.summary.Summary",
    "gevaldi.statistics.paired.Paired",
    "gevaldi.statistics.intervals.Estimate",
    "gevaldi.regions.regions.Regions",
    "gevaldi.mass.mass.Mass",
    "gevaldi.runs.store.run.Run",
]
PARTS = [
    "gevaldi.divergences.base.claims",
    "gevaldi.priors.base.Prior",
    "gevaldi.search.algorithms.base.Algorithm",
    "gevaldi.objective.Evaluation",
    "gevaldi.noise.Noise",
    "gevaldi.predictions.base.Predictions",
    "gevaldi.predictions.base.Pool",
    "gevaldi.verdicts.start.verdict_on",
]
TAXONOMY = [
    "gevaldi.taxonomy.base.Taxonomy",
    "gevaldi.taxonomy.read.read_taxonomy",
    "gevaldi.taxonomy.distances.distances",
    "gevaldi.taxonomy.distances.set_distance",
    "gevaldi.taxonomy.distances.edge_counts",
]
INTEGRATIONS = [
    "gevaldi.integrations.mlflow.log",
    "gevaldi.integrations.wandb.log",
    "gevaldi.integrations.tensorboard.log",
    "gevaldi.integrations.card.card",
    "gevaldi.integrations.results.contents_of",
    "gevaldi.integrations.contents.Contents",
    "gevaldi.integrations.contents.Metric",
    "gevaldi.integrations.contents.Picture",
    "gevaldi.testing.assert_not_worse",
]
PAGES = {
    "python": ("Python", "`import gevaldi` has these names. Each is imported when it is first used.", PYTHON),
    "results": ("Results", "What comparisons and verdicts return.", RESULTS),
    "parts": ("Interfaces of your own parts", "[Your own parts](../your-own-parts.md) shows them at work.", PARTS),
    "integrations": ("Other tools and tests", "[Other tools](../integrations.md) shows them at work.", INTEGRATIONS),
    "taxonomy": ("Hierarchies of classes", "[The hierarchy of classes](../hierarchy.md) explains them.", TAXONOMY),
}


def pages() -> dict[str, str]:
    """The Markdown of each page, by its name."""
    return {
        name: f"# {title}\n\n{about}\n\n" + "\n\n".join(map(described, members)) + "\n"
        for name, (title, about, members) in PAGES.items()
    }


@cache
def module(name: str) -> griffe.Module:
    """A module, read without importing it."""
    home = SOURCES / name.replace(".", "/")
    path = home / "__init__.py" if home.is_dir() else home.with_suffix(".py")
    return griffe.visit(name, filepath=path, code=path.read_text(encoding="utf-8"))


def resolve(path: str) -> griffe.Object:
    """The function or class of this path, also where its module only imports it."""
    home, _, name = path.rpartition(".")
    member = module(home)[name]
    return resolve(member.target_path) if isinstance(member, griffe.Alias) else member


def described(path: str) -> str:
    """The section of a function or class."""
    home, _, name = path.rpartition(".")
    member = resolve(path)
    public = home if name not in gevaldi.__all__ or gevaldi._HOMES[name] != home else "gevaldi"
    title = f"{home.rpartition('.')[2]}.{name}" if name == "log" else name
    lines = [f"## {title}", code(f"from {public} import {name}"), *body(member)]
    if member.is_class:
        for part in member.members.values():
            if not part.name.startswith("_") and part.docstring and (part.is_function or "property" in part.labels):
                lines += [f"### {name}.{part.name}", *body(part)]
    return "\n\n".join(lines)


def body(member: griffe.Object | griffe.Alias) -> list[str]:
    """Signature and docstring."""
    lines = [code(signature(member))] if isinstance(member, griffe.Function) else []
    for section in member.docstring.parse("google", warnings=False) if member.docstring else []:
        if section.kind.value == "text":
            lines.append(inspect.cleandoc(section.value))
        elif section.kind.value in ("parameters", "attributes"):
            head = ["| name | type | meaning |", "|---|---|---|"]
            rows = [f"| `{one.name}` | {typed(one.annotation)} | {cell(one.description)} |" for one in section.value]
            lines.append("\n".join([*head, *rows]))
        elif section.kind.value == "raises":
            lines.append("Raises:\n\n" + "\n".join(f"- `{one.annotation}`: {flat(one.description)}" for one in section.value))
        elif section.kind.value in ("returns", "yields"):
            lines.append(f"{section.kind.value.title()} {flat(' '.join(one.description for one in section.value))}")
        else:
            raise ValueError(f"{member.path}: a section of kind {section.kind.value} has no form here.")
    return lines


def signature(member: griffe.Function) -> str:
    """As the source has it, one parameter a line if it is long."""
    shown, star = list[str](), False
    for one in member.parameters:
        if one.name in ("self", "cls") and one is member.parameters[0] and isinstance(member.parent, griffe.Class):
            continue
        if one.kind is griffe.ParameterKind.keyword_only and not star:
            shown, star = [*shown, "*"], True
        prefix = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}.get(one.kind, "")
        star = star or prefix == "*"
        default = f" = {one.default}" if one.default is not None and not prefix else ""
        shown.append(f"{prefix}{one.name}{f': {bare(one.annotation)}' if one.annotation else ''}{default}")
    returns = f" -> {bare(member.returns)}" if member.returns else ""
    whole = f"{member.name}({', '.join(shown)}){returns}"
    return whole if len(whole) <= 88 else "{}(\n{}\n){}".format(member.name, "\n".join(f"    {one}," for one in shown), returns)


def code(text: str) -> str:
    """A block of Python."""
    return f"```python\n{text}\n```"


def bare(annotation: object) -> str:
    """A type as text, without the quotes of forward references."""
    return str(annotation).strip("\"'")


def typed(annotation: object) -> str:
    """A type in a cell of a table."""
    return "" if annotation is None else f"`{bare(annotation)}`".replace("|", "\\|")


def cell(text: str) -> str:
    """A text in a cell of a table."""
    return flat(text).replace("|", "\\|")


def flat(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())
