"""Names to things: a new member is a new file in its folder, or an entry point of another package.

A folder such as `gevaldi/divergences` is a registry. Each of its modules holds one member that bears the module's name, as a
function (`kl.py` holds `kl`) or as a class (`adam.py` holds `Adam`). Names are listed without importing anything, so that
completion in a shell is instant; a member is imported when it is asked for.
"""

import ast
import importlib
import importlib.util
import inspect
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from gevaldi.errors import GevaldiError, SpecError, UnknownName, described
from gevaldi.provenance import note_files

OPENING, CLOSING = "([{", ")]}"
GIVEN = ("log_p", "log_q", "taxonomy")  # what a run gives to members, so that they are no options of a user


@dataclass(frozen=True)
class Call:
    """A name with options, as a user writes it: `renyi,order=2` or `bundled:mnist-vae`."""

    name: str
    options: dict[str, Any]

    @classmethod
    def parse(cls, text: str) -> "Call":
        """Split `NAME,KEY=VALUE,...` at commas outside brackets; values are read as JSON where they are JSON, otherwise as text.

        Raises:
            SpecError: an option is not of the form KEY=VALUE.
        """
        name, *parts = (part.strip() for part in divided(text, ","))
        options: dict[str, Any] = {}
        for part in parts:
            key, equals, value = part.partition("=")
            if not equals or not key:
                raise SpecError(f"In {text!r}, the option {part!r} was expected as KEY=VALUE, for example 'renyi,order=2'.")
            options[key.strip()] = _value(value.strip())
        return cls(name, options)


def divided(text: str, separator: str) -> list[str]:
    """A text cut at a separator, but not inside brackets: `std=[0.2,0.3]` and `(timm:a,weights=b)+(timm:c)` stay whole.

    Brackets that do not match are letters like others, as a file name may have them.
    """
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in OPENING) - (letter in CLOSING)
        if letter == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts if depth == 0 else text.split(separator)


def _bears(identifier: str, stem: str) -> bool:
    """Whether a function or class bears the name of its file: `kl` in kl.py, `TruncatedNormal` in truncated_normal.py."""
    return identifier.lower() in (stem, stem.replace("_", ""))


def first_sentence(text: str) -> str:
    """A text up to its first full stop or blank line, on one line."""
    return re.split(r"(?<=\.)\s", " ".join(text.partition("\n\n")[0].split()), maxsplit=1)[0]


def _options(node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    """The options of a member with their defaults: keywords of a function or of `__init__`, fields of a group of settings."""
    if isinstance(node, ast.ClassDef):
        inits = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
        if inits:
            return _options(inits[0])
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign) and isinstance(part.value, ast.Call)]
        return [f"{ast.unparse(part.target)}={ast.unparse(part.value.args[0])}" for part in fields]  # type: ignore[union-attr]
    pairs = [pair for pair in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if pair[0].arg not in GIVEN]
    return [f"{name.arg}={ast.unparse(default)}" if default else f"{name.arg}=..." for name, default in pairs]


def _value(text: str) -> Any:
    try:
        return json.loads(text.lower() if text in ("True", "False") else text)
    except json.JSONDecodeError:
        return text


@dataclass(frozen=True)
class Registry:
    """The members of one folder, and those that other packages add under the entry-point group `gevaldi.<folder>`."""

    kind: str
    package: str

    @cached_property
    def _files(self) -> dict[str, Path]:
        spec = importlib.util.find_spec(self.package)
        folder = Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else Path()
        files = sorted(folder.glob("*.py"))
        return {f.stem.replace("_", "-"): f for f in files if not f.stem.startswith("_") and f.stem != "base"}

    @cached_property
    def _added(self) -> dict[str, EntryPoint]:
        return {e.name: e for e in entry_points(group=self.package)}

    def names(self) -> list[str]:
        """All names, sorted; nothing is imported."""
        return sorted(self._files | self._added)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def get(self, name: str) -> Any:
        """The member of that name.

        Raises:
            UnknownName: nobody bears it; the message gives the nearest known ones.
        """
        if name in self._files:
            stem = self._files[name].stem
            module = importlib.import_module(f"{self.package}.{stem}")
            return next(member for bearer, member in vars(module).items() if _bears(bearer, stem))
        if name in self._added:
            return self._added[name].load()
        raise UnknownName(self.kind, name, self.names())

    def build(self, text: str) -> Any:
        """The class of `NAME,KEY=VALUE,...` made with these options.

        Raises:
            UnknownName, SpecError: the name or an option is not known, or a value is impossible.
        """
        call = Call.parse(text)
        return made(self.get(call.name), call, self.kind)

    def documentation(self, name: str) -> str:
        """What the member's docstring says, and its options, read from the file without importing it where there is one."""
        if name not in self._files:
            return str(getattr(self.get(name), "__doc__", "") or "")
        tree = ast.parse(self._files[name].read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and _bears(node.name, self._files[name].stem):
                options = ", ".join(_options(node))
                return (ast.get_docstring(node) or "") + (f"\n\nOptions: {options}" if options else "")
        return ast.get_docstring(tree) or ""

    def summary(self, name: str) -> str:
        """The first sentence of the documentation."""
        return first_sentence(self.documentation(name))


@dataclass(frozen=True)
class Sources:
    """Where models come from: each member of a registry of sources knows some names, written `SOURCE:NAME,KEY=VALUE`.

    A source is a class with `names()`, which must need no heavy import, and `load(name, **options)`.
    """

    registry: Registry
    kind: str

    def names(self) -> list[str]:
        """Every name that is known beforehand; sources such as `python:` know more when asked."""
        return [f"{source}:{name}" for source in self.registry for name in self.registry.get(source)().names()]

    def load(self, text: str) -> Any:
        """What `SOURCE:NAME,KEY=VALUE` stands for.

        Raises:
            UnknownName, SpecError: the source, the name or an option is not known.
        """
        return self.called(Call.parse(text))

    def called(self, call: Call) -> Any:
        """The same of a name and options that are apart already.

        Raises:
            UnknownName, SpecError: the source, the name or an option is not known.
        """
        source, colon, name = call.name.partition(":")
        if not colon:
            raise UnknownName(self.kind, call.name, self.names())
        if source not in self.registry.names() and source.endswith(".py"):
            raise SpecError(f"{call.name!r} names no source. For a function in a file, write python:{call.name}")
        member = self.registry.get(source)()
        return made(partial(member.load, name), Call(call.name, call.options), self.kind)

    def resolve(self, given: Any, expected: type, remedy: str) -> Any:
        """What was given, by name or as it is, if it is of the type expected.

        Raises:
            UnknownName, SpecError: there is none of that name, or it is of another type; `remedy` says what to do.
        """
        found = self.load(given) if isinstance(given, str) else given
        if not isinstance(found, expected):
            came = f"{given!r} gave a {type(found).__name__}" if isinstance(given, str) else f"A {type(found).__name__} was given"
            raise SpecError(f"{came}, but a gevaldi.{expected.__name__} was expected as the {self.kind}. {remedy}")
        return found


def referred(text: str) -> Any:
    """What `package.module:name` or `path/to/file.py:name` stands for. It runs that module's code, as importing does.

    Modules are looked for in the current folder too, and what a file imports in the folder of the file, as `python` does it.

    Raises:
        SpecError: the module or file cannot be imported, or has no such name.
    """
    place, colon, name = text.rpartition(":")
    if not colon:
        raise SpecError(
            f"{text!r} was given; a Python object is named module:name or file.py:name, for example python:models.py:small."
        )
    from gevaldi.places import near

    path = near(place)
    folder = str(path.resolve().parent if place.endswith(".py") else Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = _module_of_file(path) if place.endswith(".py") else importlib.import_module(place)
        note_files([path] if place.endswith(".py") else [Path(module.__file__)] if module.__file__ else [])
    except FileNotFoundError:
        raise SpecError(f"There is no file {place!r}; the current folder is {Path.cwd()}.") from None
    except Exception as error:
        raise SpecError(f"{place!r} cannot be imported: {described(error)}. Is all of it installed in this environment?") from error
    if not hasattr(module, name):
        own = [n for n, what in vars(module).items() if getattr(what, "__module__", None) == module.__name__]
        raise SpecError(str(UnknownName(f"object in {place}", name, own or [n for n in vars(module) if not n.startswith("_")])))
    return getattr(module, name)


def _module_of_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"gevaldi_user_{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # classes made in it can then be found by name
    spec.loader.exec_module(module)
    return module


def check_options(factory: Any, call: Call, kind: str) -> None:
    """That a factory, or a function with its options as keywords, takes the options that a user wrote, and all it needs is there.

    Raises:
        SpecError: an option is missing or unknown; the message says which there are.
    """
    parameters = inspect.signature(factory).parameters.values()
    passes_on = any(p.kind is p.VAR_KEYWORD for p in parameters)  # and answers for what it does not know
    options = {p.name: p.default for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)}
    options = {name: default for name, default in options.items() if name not in GIVEN}
    missing = [name for name, default in options.items() if default is inspect.Parameter.empty and name not in call.options]
    unknown = [] if passes_on else [name for name in call.options if name not in options]
    if not (missing or unknown):
        return
    problem = f"needs {', '.join(missing)}" if missing else f"has no option {', '.join(unknown)}"
    shown = [name if default is inspect.Parameter.empty else f"{name}={default!r}" for name, default in options.items()]
    example = ",".join(f"{name}=VALUE" for name in (missing or list(options)[:1]))
    takes = f"It takes {', '.join(shown)}, written {call.name},{example}" if shown else "It takes no options"
    raise SpecError(f"The {kind} {call.name!r} {problem}. {takes}.")


def made(factory: Any, call: Call, kind: str) -> Any:
    """Call a factory with the options that a user wrote, and answer a misfit with what the factory takes."""
    from pydantic import ValidationError

    check_options(factory, call, kind)
    try:
        return factory(**call.options)
    except ValidationError as error:
        raise SpecError(f"The {kind} {call.name!r} does not take these options. {explained(error)}") from None
    except GevaldiError:
        raise
    except (TypeError, ValueError) as error:
        raise SpecError(f"The {kind} {call.name!r} cannot be made with {call.options or 'no options'}: {error}") from error


def explained(error: Any) -> str:
    """A pydantic error in sentences: where, what came, what was expected."""
    lines = []
    for e in error.errors():
        where = ".".join(str(part) for part in e["loc"]) or "settings"
        if e["type"] == "missing":
            lines.append(f"{where} is missing")
        elif e["type"] == "extra_forbidden":
            lines.append(f"{where!r} is not known")
        else:
            lines.append(f"{where}: {e['msg'].removeprefix('Value error, ')} (came: {e['input']!r})")
    return "; ".join(lines) + "."
