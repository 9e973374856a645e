"""Options generated from the fields of a spec or a sweep: their names, types, defaults and help."""

import inspect
from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import typer
from typer.core import TyperCommand

from gevaldi.cli.words import complete

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

SHORT = {"samples": "-n", "generator": "-g"}
"""Short flags, by field."""

KINDS = {
    "generator": "generators",
    "divergence": "divergences",
    "divergences": "divergences",
    "taxonomy": "taxonomies",
    "algorithm": "algorithms",
    "real": "pictures",
    "orders": "orders",
    "convention": "conventions",
}
"""Kinds of names that complete, by field."""


class SettingsCommand(TyperCommand):
    """A command with an option for each of `names`, dotted fields of a spec; `ctx.obj` holds the options that the user set.

    The options are created when the command runs, because importing the spec takes longer than the rest of `gevaldi --help`.
    """

    context_class = typer.Context
    names: tuple[str, ...] = ()
    _params: list[Any]
    _whole: bool

    @property
    def params(self) -> list[Any]:
        """The arguments, the options for settings, and then the command's own options."""
        if not self._whole:
            self._whole = True
            after = sum(param.param_type_name == "argument" for param in self._params)
            self._params[after:after] = options(self.names)
        return self._params

    @params.setter
    def params(self, own: list[Any]) -> None:
        self._params, self._whole = own, False

    def invoke(self, ctx: Any) -> Any:
        """Call the command with `ctx.obj`."""
        values = {name: ctx.params.pop(name.rpartition(".")[2]) for name in self.names}
        ctx.obj = {name: value for name, value in values.items() if value not in (None, (), [])}
        return super().invoke(ctx)


def options(names: Sequence[str]) -> list[Any]:
    """The options for some settings, which typer builds from a function's parameters."""

    def command(**values: Any) -> None: ...

    fields = {name.rpartition(".")[2]: _field(name) for name in names}
    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_option(name, one))
        for name, one in fields.items()
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = typer.Typer(add_completion=False)
    app.command()(command)
    return [param for param in typer.main.get_command(app).params if param.name in fields]


def _field(name: str) -> "FieldInfo":
    """The field of a spec or, if a spec has no such field, of a sweep."""
    from gevaldi.spec import GROUPS, Spec

    group, _, last = name.rpartition(".")
    fields = GROUPS[group].model_fields if group else Spec.model_fields
    if last not in fields:
        from gevaldi.sweeps.spec import Sweep

        return Sweep.model_fields[last]
    return fields[last]


def _option(name: str, field: "FieldInfo") -> Any:
    """The annotation of the parameter for a field: its type and typer's option."""
    from pydantic_core import PydanticUndefined

    plain, default = _type(field.annotation), field.default
    several = get_origin(plain) is list  # one value at a time: --condition 4 --condition 9
    flag = f"--{name.removesuffix('s') if several else name}".replace("_", "-")
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    info = typer.Option(
        *filter(None, (flag, SHORT.get(name))),
        help=f"{field.description}{'; may be repeated' * several}",
        show_default=False if default in (None, PydanticUndefined) else str(default[0] if isinstance(default, tuple) else default),
        metavar="|".join(choices) or None,
        autocompletion=complete(KINDS[name]) if name in KINDS else None,
    )
    return Annotated[plain | None, info]


def _type(annotation: Any) -> Any:
    """The type of an option for a field: numbers, lists of them, or text that the field itself checks."""
    parts = [part for part in get_args(annotation) if part is not NoneType]
    origin = get_origin(annotation)
    if origin is tuple:
        return list[_type(parts[0])]  # type: ignore[misc]
    if origin is Annotated or (origin in (Union, UnionType) and len(parts) == 1):
        return _type(parts[0])
    return annotation if annotation in (int, float) else str


def override(settings: dict[str, Any], given: Mapping[str, Any], assignments: Sequence[str] | None) -> None:
    """Put options, by their dotted names, and then assignments such as `search.gain=0.001` into settings.

    Raises:
        SpecError: an assignment is malformed.
    """
    from gevaldi.spec import overridden

    settings |= {name: value for name, value in given.items() if "." not in name}
    for assignment in [*(f"{name}={value}" for name, value in given.items() if "." in name), *(assignments or [])]:
        overridden(settings, assignment)
