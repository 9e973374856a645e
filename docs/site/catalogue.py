"""The reference of commands, settings, columns and names, as Markdown from what `gevaldi` says of itself."""

import inspect
import re
from dataclasses import fields
from importlib import import_module
from typing import Any

import typer

from gevaldi.cli.catalogue import REGISTRIES, SOURCES
from gevaldi.cli.catalogue import documentation as settings_as_yaml
from gevaldi.cli.main import app

TITLES = {
    "classifiers": ("Classifiers", "Named `SOURCE:NAME`, options after commas. [Models by name](../models.md) explains them."),
    "generators": ("Generators", "Named `SOURCE:NAME`, options after commas. [Models by name](../models.md) explains them."),
    "pictures": ("Pictures", "Sets of real pictures, for `--real` and `--pool`."),
    "divergences": ("Divergences", "For `--divergence NAME,OPTION=VALUE`: how far apart two predictions are."),
    "priors": ("Priors", "The distributions of a generator's latents, for `gevaldi.generator(decoder, latent=PRIOR)`."),
    "algorithms": ("Search algorithms", "For `--set search.algorithm=NAME,OPTION=VALUE`."),
    "taxonomies": ("Bundled hierarchies", "For `--taxonomy NAME`."),
    "figures": ("Figures", "For `gevaldi figure RUN NAME,OPTION=VALUE`."),
    "exports": ("Export formats", "For `gevaldi export RUN --to NAME`."),
    "engines": ("Engines", "For `--engine NAME,OPTION=VALUE`: where networks are computed."),
}


def pages() -> dict[str, str]:
    """The Markdown of each page, by its name."""
    return {
        "commands": commands(),
        "settings": "# Settings of a run\n\nFor `--set NAME=VALUE`, and for the file of `--spec`.\n\n"
        + f"```yaml\n{settings_as_yaml('spec').partition(chr(10))[2].strip()}\n```\n",
        "columns": columns(),
        **{kind: names(kind) for kind in TITLES},
    }


def names(kind: str) -> str:
    """The page of all members of a registry."""
    title, about = TITLES[kind]
    registry = import_module(SOURCES[kind]).sources.registry if kind in SOURCES else import_module(REGISTRIES[kind]).registry
    sections = [f"## {name}\n\n{prose(registry.documentation(name))}" for name in registry]
    return f"# {title}\n\n{about}\n\n" + "\n\n".join(sections) + "\n"


def prose(text: str) -> str:
    """A docstring as Markdown: its sections become lists, its options a line of code."""
    text = re.sub(r"\n\nOptions: (.*)$", lambda match: f"\n\nOptions: `{match[1]}`", inspect.cleandoc(text))
    lines = []
    for line in text.splitlines():
        if line in ("Raises:", "Args:", "Attributes:"):
            lines += [line, ""]
        elif match := re.fullmatch(r" {4}(\w[\w, ]*): (.*)", line):
            lines.append(f"- `{match[1]}`: {match[2]}")
        else:
            lines.append(line)
    return "\n".join(lines)


def columns() -> str:
    """The page of the columns of a run's rows."""
    from gevaldi.runs.store.sample import Sample

    rows = [
        f"| `{field.name}` | {kind(field.metadata['kind'])} | {field.metadata['description'].replace('|', chr(92) + '|')} |"
        for field in fields(Sample)
        if "description" in field.metadata
    ]
    about = (
        "`Comparison.rows()` and `samples/*.parquet` have these columns, one row for each search. "
        "Set distances have one for each size of `set_sizes`."
    )
    return "\n".join(["# Columns of the rows", "", about, "", "| column | type | what it holds |", "|---|---|---|", *rows]) + "\n"


def kind(arrow: Any) -> str:
    """The type of a column in words."""
    if isinstance(arrow, list):
        return f"list of {kind(arrow[0])}"
    return "struct" if isinstance(arrow, dict) else f"`{arrow}`"


def commands() -> str:
    """The page of all commands, from their help."""
    group: Any = typer.main.get_command(app)
    context = typer.Context(group, info_name="gevaldi")
    about = "`gevaldi COMMAND --help` prints the same in a terminal."
    return f"# Commands\n\n{about}\n\n" + "\n\n".join(_command(command, context) for command in group.commands.values()) + "\n"


def _command(command: Any, parent: Any) -> str:
    context = typer.Context(command, info_name=command.name, parent=parent)
    pieces = " ".join(command.collect_usage_pieces(context))
    lines = [f"## {context.command_path}", f"```text\n{context.command_path} {pieces}\n```", _help(command.help or "")]
    records = [param.get_help_record(context) for param in command.get_params(context)]
    rows = [f"| {_names(name)} | {_meaning(text)} |" for name, text in filter(None, records)]
    lines.append("\n".join(["| option | meaning |", "|---|---|", *rows]))
    lines += [_command(one, context) for one in getattr(command, "commands", {}).values()]
    return "\n\n".join(lines)


def _names(text: str) -> str:
    return "`" + " ".join(text.split()).replace("|", "\\|") + "`"


def _meaning(text: str) -> str:
    """The help of an option; click puts brackets around a default that is described and not computed."""
    return re.sub(r"\[default: \((.*?)\)(?=[;\]])", r"[default: \1", " ".join(text.split())).replace("|", "\\|")


def _help(text: str) -> str:
    """Paragraphs; what click leaves as it is becomes a block of code."""
    shown = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        literal = paragraph.startswith("\b")
        shown.append("```sh\n{}\n```".format(inspect.cleandoc(paragraph[1:].lstrip("\n"))) if literal else paragraph)
    return "\n\n".join(shown)
