"""Shared by all pages: filling templates and writing files."""

from functools import cache, partial
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
