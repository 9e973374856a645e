"""Types and shapes as the suite checks them: an int is a float, as for every type checker, and not every call is checked.

Checking all calls would take two thirds of the suite's time. So the first calls of every function in every test are checked, and
some of the later ones. To make a check takes a thousand times as long as to call it.
"""

import dataclasses
import functools
import inspect
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import jaxtyping
from beartype import BeartypeConf, beartype

FIRST, EVERY = 16, 64  # calls of a function that are checked in a test: so many, and then one of so many

calls: Counter[str] = Counter()  # since a test began

checks = beartype(conf=BeartypeConf(is_pep484_tower=True, violation_type=jaxtyping.TypeCheckError))


def install(package: str) -> None:
    """Check calls of a package's functions, and of the constructors of its dataclasses, from its import on."""
    jaxtyped = jaxtyping.jaxtyped

    def sampled(what: Any) -> Any:
        if dataclasses.is_dataclass(what) and "__init__" in vars(what):
            what.__init__ = some_calls(what.__init__)
        return some_calls(what) if inspect.isfunction(what) else what

    def some_calls(function: Callable[..., Any]) -> Callable[..., Any]:
        name = f"{function.__module__}.{function.__qualname__}"
        first = 1 if "<locals>" in name else FIRST  # each call of the outer function makes the inner one anew, and its check
        checked: Callable[..., Any] | None = None  # made when it is first needed, which takes long

        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal checked
            calls[name] = count = calls[name] + 1
            if first < count and count % EVERY:
                return function(*arguments, **named)
            if checked is None:
                checked = jaxtyped(function, typechecker=checks) if quotes(function) else checks(function)
            return checked(*arguments, **named)

        return call

    jaxtyping.jaxtyped = lambda typechecker: sampled
    jaxtyping.install_import_hook(package, None)


def quotes(function: Callable[..., Any]) -> bool:
    """Whether annotations have text in quotes, a shape or the name of a class, which beartype alone does not resolve."""
    return "'" in re.sub(r"<class '[\w.]+'>", "", str([*inspect.get_annotations(function).values()]))
