"""What the pages share: how templates are filled, and how a page is written."""

from functools import cache, partial
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from gevaldi.errors import RunFolderError
from gevaldi.names import plain, visible
from gevaldi.reports.numbers import level, mean_of_levels, number, percent, signed, typicality, whole_percent
from gevaldi.storage import Location, reason, remedy, remove_unfinished, write

if TYPE_CHECKING:
    from jinja2 import Environment

P = TypeVar("P", bound=Location)
LONGEST_PROSE = 1000  # characters of a text that a user wrote


@cache
def environment() -> "Environment":
    """Templates in which what comes from users is escaped, also its direction marks, and what is missing is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    made = Environment(
        loader=PackageLoader("gevaldi.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value,
    )
    made.filters.update(
        number=number, percent=percent, share=whole_percent, mean_of_levels=mean_of_levels, level=level, signed=signed,
        typicality=typicality, plain=partial(plain, longest=LONGEST_PROSE), visible=visible, link=link,
    )  # fmt: skip
    return made


def link(path: str) -> str:
    """The address of a file in the page's own folder or below: no name in it is a scheme or a query."""
    return f"./{quote(path)}"


def written(path: P, text: str) -> P:
    """Write a page, or a table that goes with it, whole.

    Raises:
        RunFolderError: it cannot be written.
    """
    try:
        remove_unfinished(path)
        write(path, text.encode(errors="replace"))
    except OSError as error:
        raise RunFolderError(f"The report {path} cannot be written: {reason(error)}. {remedy(path, error)}") from error
    return path
