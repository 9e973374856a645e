"""Registries of named members: a new member is a new file in its folder, or an entry point of another package.

A folder such as `gevaldi/divergences` is a registry. Each of its modules holds one member with the module's name, a function
(`kl.py` holds `kl`) or a class (`adam.py` holds `Adam`). Listing names imports nothing, so that completion in a shell is instant;
a member is imported on request.
"""

import ast
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from gevaldi.calls import Call, construct
from gevaldi.errors import SpecError, UnknownName, describe_error
from gevaldi.names import OBJECT
from gevaldi.provenance import note_files
from gevaldi.quoting import unquoted
from gevaldi.storage import local_path

GIVEN = ("log_p", "log_q", "taxonomy")  # parameters that a run passes to divergences, so not options of a user
REFERENCE = "python:"  # prefix of the name of a user's own member


def _bears(identifier: str, stem: str) -> bool:
    """Whether a function or class has the name of its file: `kl` in kl.py, `TruncatedNormal` in truncated_normal.py."""
    return identifier.lower() in (stem, stem.replace("_", ""))


def first_sentence(text: str) -> str:
    """A text up to its first full stop or blank line, on one line."""
    return re.split(r"(?<=\.)\s", " ".join(text.partition("\n\n")[0].split()), maxsplit=1)[0]


def _options(node: ast.FunctionDef | ast.ClassDef) -> list[str]:
    """The options of a member with their defaults: of a function, of `__init__` or `load`, or the fields of settings."""
    if isinstance(node, ast.ClassDef):
        methods = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name in ("__init__", "load")]
        if methods:
            return _options(methods[0])
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign) and isinstance(part.value, ast.Call)]
        return [f"{ast.unparse(part.target)}={ast.unparse(part.value.args[0])}" for part in fields]  # type: ignore[union-attr]
    positional = node.args.args[1:] if node.args.args and node.args.args[0].arg == "self" else []
    defaults = [*[None] * (len(positional) - len(node.args.defaults)), *node.args.defaults]
    pairs = [*zip(positional, defaults, strict=True), *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)]
    shown = [f"{name.arg}={ast.unparse(default) if default else '...'}" for name, default in pairs if name.arg not in GIVEN]
    return [*shown, "and those described above"] if shown and node.args.kwarg and node.name == "load" else shown


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
        """All names, sorted; imports nothing."""
        return sorted(self._files | self._added)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def get(self, name: str) -> Any:
        """The member of this name.

        A user's own is named `python:package.module:name` or `python:file.py:name`, or by `name_of`.

        Raises:
            UnknownName: no member has this name; the message gives the nearest known ones.
            SpecError: a user's own member cannot be imported, or is an object of another process.
        """
        if name.startswith(REFERENCE):
            return resolve_reference(unquoted(name.removeprefix(REFERENCE)))
        if name.startswith(OBJECT):
            return self._object(name)
        if name in self._files:
            stem = self._files[name].stem
            module = importlib.import_module(f"{self.package}.{stem}")
            return next(member for bearer, member in vars(module).items() if _bears(bearer, stem))
        if name in self._added:
            return self._added[name].load()
        raise UnknownName(self.kind, name, self.names())

    def name_of(self, member: Any) -> str:
        """The spec's name for a member; names stay unchanged.

        A function or class that can be imported is `python:module:name`. Any other object is `object:name`, known only to this
        process.
        """
        if isinstance(member, str):
            return member
        module, name = getattr(member, "__module__", ""), getattr(member, "__name__", type(member).__name__)
        if getattr(sys.modules.get(module), name, None) is member and module != "__main__":
            package, _, stem = module.rpartition(".")
            return stem.replace("_", "-") if package == self.package else f"{REFERENCE}{module}:{name}"
        self._objects[f"{OBJECT}{name}"] = member
        return f"{OBJECT}{name}"

    @cached_property
    def _objects(self) -> dict[str, Any]:
        return {}

    def _object(self, name: str) -> Any:
        if name in self._objects:
            return self._objects[name]
        raise SpecError(
            f"The {self.kind} {name.removeprefix(OBJECT)!r} is an object of the Python program that started the run. Resume it "
            f"with the same call there, or put the {self.kind} into a file and name it: python:FILE.py:NAME."
        )

    def build(self, text: str) -> Any:
        """The class of `NAME,KEY=VALUE,...` made with these options, or the object of that name as it is.

        Raises:
            UnknownName, SpecError: the name or an option is not known, or a value is impossible.
        """
        call = Call.parse(text)
        member = self.get(call.name)
        return construct(member, call, self.kind) if callable(member) else member

    def documentation(self, name: str) -> str:
        """The member's docstring and options, read from its file, if it has one, without importing it."""
        if name not in self._files:
            return str(getattr(self.get(name), "__doc__", "") or "")
        tree = ast.parse(self._files[name].read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and _bears(node.name, self._files[name].stem):
                options = ", ".join(_options(node))
                return (ast.get_docstring(node) or "") + (f"\n\nOptions: {options}" if options else "")
        return ast.get_docstring(tree) or ""

    def claims(self, name: str) -> dict[str, Any]:
        """The declared properties of a member, `@claims(symmetric=True)`, read from its file without importing it."""
        tree = ast.parse(self._files[name].read_text(encoding="utf-8")) if name in self._files else ast.Module([], [])
        calls = [node for part in tree.body if isinstance(part, ast.FunctionDef) for node in part.decorator_list]
        keywords = [word for call in calls if isinstance(call, ast.Call) for word in call.keywords]
        return {word.arg: word.value.value for word in keywords if word.arg and isinstance(word.value, ast.Constant)}

    def summary(self, name: str) -> str:
        """The first sentence of the documentation."""
        return first_sentence(self.documentation(name))


@dataclass(frozen=True)
class Sources:
    """Sources of models: each member of the registry provides some names, written `SOURCE:NAME,KEY=VALUE`.

    A source is a class with `names()`, which must not need heavy imports, and `load(name, **options)`. One whose name holds other
    names (`pruned:NAME`) has `names_others = True` and receives its name with the quotes in it.
    """

    registry: Registry
    kind: str
    name_path: Callable[[Path], str] | None = None
    """What a user may write for a path that names no source."""

    def names(self) -> list[str]:
        """Every name that can be listed in advance; sources such as `python:` accept more."""
        return [f"{source}:{name}" for source in self.registry for name in self.registry.get(source)().names()]

    def load(self, text: str) -> Any:
        """Load `SOURCE:NAME,KEY=VALUE`, also in brackets, as options of others hold it: `pictures=(folder:DIR,classes=none)`.

        Raises:
            UnknownName, SpecError: the source, the name or an option is unknown.
        """
        whole = text.strip()
        return self.construct(Call.parse(whole[1:-1] if whole.startswith("(") and whole.endswith(")") else whole))

    def construct(self, call: Call) -> Any:
        """Load a parsed name with its options.

        Raises:
            UnknownName, SpecError: the source, the name or an option is unknown.
        """
        source, colon, name = call.name.partition(":")
        if not colon:
            path = Path(unquoted(call.name))
            if self.name_path and (os.path.exists(path) or path.suffix or len(path.parts) > 1):
                raise SpecError(f"{call.name} is a path, and a {self.kind} is named by its source. {self.name_path(path)}")
            raise UnknownName(self.kind, call.name, self.names())
        if source not in self.registry.names() and source.endswith(".py"):
            raise SpecError(f"{call.name!r} has no source. For a function in a file, write python:{call.name}")
        member = self.registry.get(source)()
        own = name if getattr(member, "names_others", False) else unquoted(name)
        return construct(partial(member.load, own), Call(call.name, call.options), self.kind)

    def resolve(self, given: Any, expected: type, remedy: str) -> Any:
        """Load a name, or accept an object, of the expected type.

        Raises:
            UnknownName, SpecError: the name is unknown, or the object has another type; `remedy` says what to do.
        """
        resolved = self.load(given) if isinstance(given, str) else given
        if not isinstance(resolved, expected):
            kind = type(resolved).__name__
            came = f"{given!r} returned a {kind}" if isinstance(given, str) else f"A {kind} was given"
            raise SpecError(f"{came}, but a gevaldi.{expected.__name__} was expected as the {self.kind}. {remedy}")
        return resolved


def resolve_reference(text: str) -> Any:
    """The object `package.module:name` or `path/to/file.py:name`. Runs that module's code, as any import does.

    Like `python`, also searches the current folder for modules, and a file's folder for the modules that it imports.

    Raises:
        SpecError: the module or file cannot be imported, or lacks the name.
    """
    place, colon, name = text.rpartition(":")
    if not colon:
        raise SpecError(
            f"{text!r} was given; name a Python object as module:name or file.py:name, for example python:models.py:small."
        )
    path = local_path(place)
    folder = str(path.resolve().parent if place.endswith(".py") else Path.cwd())
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        module = _module_of_file(path) if place.endswith(".py") else importlib.import_module(place)
        note_files([path] if place.endswith(".py") else [Path(module.__file__)] if module.__file__ else [])
    except FileNotFoundError:
        raise SpecError(f"There is no file {place!r}; the current folder is {Path.cwd()}.") from None
    except Exception as error:
        raise SpecError(
            f"{place!r} cannot be imported: {describe_error(error)}. Are its packages installed in this environment?"
        ) from error
    if not hasattr(module, name):
        own = [n for n, what in vars(module).items() if getattr(what, "__module__", None) == module.__name__]
        raise SpecError(str(UnknownName(f"object in {place}", name, own or [n for n in vars(module) if not n.startswith("_")])))
    return getattr(module, name)


def _module_of_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"gevaldi_user_{path.stem}", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # so that its classes can be found by name
    spec.loader.exec_module(module)
    return module
