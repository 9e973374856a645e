"""A name with options as a user writes it, and a factory called with these options."""

import inspect
import json
import sys
from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from gevaldi.errors import GevaldiError, SpecError
from gevaldi.names import plain
from gevaldi.quoting import QUOTED, split_unquoted, unquoted

SHOWN, LONGEST = 10, 200  # most problems in a message, and most characters of a value
WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


@dataclass(frozen=True)
class Call:
    """A name with options, such as `renyi,order=2` or `bundled:mnist-vae`."""

    name: str
    options: dict[str, Any]

    @classmethod
    def parse(cls, text: str) -> "Call":
        """Split `NAME,KEY=VALUE,...` at commas outside brackets and quotes.

        Values in double quotes are text; others are parsed as JSON if possible. A name keeps its quotes until a source takes it.

        Raises:
            SpecError: an option is not of the form KEY=VALUE.
        """
        name, *parts = (part.strip() for part in split_unquoted(text, ","))
        options: dict[str, Any] = {}
        for part in parts:
            key, equals, value = part.partition("=")
            if not equals or not key:
                raise SpecError(
                    f"In {text!r}, the option {part!r} must have the form KEY=VALUE, for example 'renyi,order=2'. A name with "
                    """a comma stands in double quotes, as in 'folder:"a, b"'."""
                )
            options[key.strip()] = _value(value.strip())
        return cls(name, options)


def _value(text: str) -> Any:
    quoted = QUOTED.fullmatch(text)
    if quoted:
        return unquoted(text)
    try:
        return json.loads(text.lower() if text in ("True", "False") else text)
    except (ValueError, RecursionError):  # not JSON, or too many digits or brackets for Python
        return text


def options_for(factory: Any, call: Call, kind: str, given: Collection[str] = ()) -> dict[str, Any]:
    """The options of a call, converted to the parameter types of a factory.

    A value has the type of its parameter: only `true` and `false` are bools, so that a text such as `no` does not count as true.
    A whole number becomes text if text is expected, for example a revision made of digits.

    Args:
        factory: the callable that takes the options.
        call: its name and options.
        kind: its kind, for errors.
        given: parameters that are not options.

    Raises:
        SpecError: an option is missing or unknown, or a value has another type; the message lists the options.
    """
    parameters = inspect.signature(factory).parameters.values()
    passes_on = any(p.kind is p.VAR_KEYWORD for p in parameters)  # and rejects unknown options itself
    known = {p.name: p for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD) and p.name not in given}
    missing = [name for name, p in known.items() if p.default is p.empty and name not in call.options]
    unknown = [] if passes_on else [name for name in call.options if name not in known]
    if missing or unknown:
        problem = f"needs {', '.join(missing)}" if missing else f"has no option {', '.join(unknown)}"
        shown = [name if p.default is p.empty else f"{name}={p.default!r}" for name, p in known.items()]
        example = ",".join(f"{name}=VALUE" for name in (missing or list(known)[:1]))
        takes = f"It takes {', '.join(shown)}, written {call.name},{example}" if shown else "It takes no options"
        raise SpecError(f"The {kind} {call.name!r} {problem}. {takes}.")
    options = dict(call.options)
    for name in options.keys() & known.keys():
        expected = _type(known[name], factory)
        try:
            options[name] = _converted(options[name], expected)
        except ValueError:
            came = plain(json.dumps(options[name], ensure_ascii=False))
            hint = (
                f' To give it as text, write {name}="{came}".'
                if isinstance(options[name], int | float) and _is_text(expected)
                else ""
            )
            raise SpecError(
                f"{name}={came} was given to the {kind} {call.name!r}; {_in_words(expected)} was expected.{hint}"
            ) from None
    return options


def _type(parameter: inspect.Parameter, factory: Any) -> Any:
    """The annotated type of a parameter; without one, bool if its default is a bool, otherwise any."""
    kind = parameter.annotation
    if isinstance(kind, str):
        while isinstance(factory, partial):
            factory = factory.func
        try:
            kind = eval(kind, vars(sys.modules[inspect.unwrap(factory).__module__]))
        except (AttributeError, KeyError, NameError, TypeError):
            kind = Any
    if get_origin(kind) is Annotated:  # the factory checks its limits
        kind = get_args(kind)[0]
    unknown = kind in (parameter.empty, Any)
    return bool if unknown and isinstance(parameter.default, bool) else Any if unknown else kind


def _converted(value: Any, expected: Any) -> Any:
    """Convert a value from JSON to the expected type; unchanged if pydantic does not support that type.

    Raises:
        ValueError: the value has another type.
    """
    from pydantic import PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter, ValidationError

    try:
        adapter = TypeAdapter(expected)
    except (PydanticUserError, PydanticUndefinedAnnotation):
        return value
    try:
        return adapter.validate_json(json.dumps(value), strict=True)  # a JSON list may become a tuple
    except ValidationError:
        if isinstance(value, bool) or not isinstance(value, int):
            raise
        return adapter.validate_json(json.dumps(str(value)), strict=True)


def _is_text(expected: Any) -> bool:
    return expected is str or str in get_args(expected)


def _in_words(expected: Any) -> str:
    """The name of a type's values, for messages."""
    if isinstance(expected, type) and not get_args(expected):
        return WORDS.get(expected, expected.__name__)
    parts = [part for part in get_args(expected) if part is not NoneType]
    if get_origin(expected) is Literal:
        return " or ".join(map(str, parts))
    if get_origin(expected) in (Union, UnionType):
        return " or ".join(map(_in_words, parts))
    return "a list"


def construct(factory: Any, call: Call, kind: str) -> Any:
    """Call a factory with a user's options; an error names the options that the factory takes."""
    from pydantic import ValidationError

    options = options_for(factory, call, kind)
    try:
        return factory(**options)
    except ValidationError as error:
        raise SpecError(f"The {kind} {call.name!r} does not take these options. {explain_validation_error(error)}") from None
    except GevaldiError:
        raise
    except (TypeError, ValueError) as error:
        raise SpecError(f"The {kind} {call.name!r} cannot be created with {call.options or 'no options'}: {error}") from error


def explain_validation_error(error: Any) -> str:
    """A pydantic error in a few sentences: which setting, what was expected, and the value."""
    errors, lines = error.errors(include_url=False), []
    for e in errors[:SHOWN]:
        where = ".".join(str(part) for part in e["loc"]) or "settings"
        if e["type"] == "missing":
            lines.append(f"{where} is missing")
        elif e["type"] == "extra_forbidden":
            lines.append(f"{where!r} is unknown")
        else:
            lines.append(f"{where}: {e['msg'].removeprefix('Value error, ')} (got {_shortened(e['input'])})")
    if len(errors) > SHOWN:
        lines.append(f"and {len(errors) - SHOWN:,} more")
    return "; ".join(lines) + "."


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
