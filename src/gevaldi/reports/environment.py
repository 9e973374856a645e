"""Shared by all pages: filling templates and writing files."""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache, cached_property, partial
from importlib.resources import files
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from gevaldi.errors import RunFolderError
from gevaldi.names import plain, visible
from gevaldi.reports.numbers import level, mean_of_levels, number, share, signed, typicality
from gevaldi.statistics.words import interval, with_interval
from gevaldi.storage import Location, reason, remedy, remove_unfinished, write

if TYPE_CHECKING:
    from jinja2 import Environment

P = TypeVar("P", bound=Location)
LONGEST_PROSE = 1000  # characters of a text that a user wrote


@cache
def environment(package: str = "gevaldi.reports") -> "Environment":
    """The environment of a package's templates.

    It escapes users' text, direction marks included, and raises an error on a missing value.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    made = Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    made.filters.update(
        number=number, percent=with_interval, share=share, interval=interval,
        mean_of_levels=mean_of_levels, level=level, signed=signed,
        typicality=typicality, plain=partial(plain, longest=LONGEST_PROSE), visible=visible, link=link,
    )  # fmt: skip
    return made


@dataclass(frozen=True)
class Script:
    """A script of `reports/templates`, and its hash as a content security policy names it."""

    name: str

    @cached_property
    def text(self) -> str:
        """The script."""
        return files("gevaldi.reports").joinpath("templates", self.name).read_text(encoding="utf-8")

    @cached_property
    def hash(self) -> str:
        """The hash."""
        return base64.b64encode(hashlib.sha256(self.text.encode()).digest()).decode()


def link(path: str) -> str:
    """The relative address of a file in the page's folder or below, quoted so that no name is read as a scheme or a query."""
    return f"./{quote(path)}"


def written(path: P, text: str) -> P:
    """Write a page or a table atomically.

    Raises:
        RunFolderError: the file cannot be written.
    """
    try:
        remove_unfinished(path)
        write(path, text.encode(errors="replace"))
    except OSError as error:
        raise RunFolderError(f"The report {path} cannot be written: {reason(error)}. {remedy(path, error)}") from error
    return path
