"""Shared by all figures: sizes, colours, fonts, and writing to files."""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from gevaldi.errors import GevaldiError, RunFolderError, SpecError
from gevaldi.names import plain
from gevaldi.storage import Location, make_folder, reason, remedy, remove_unfinished, write

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0a6ebd", "#c4570a", "#6f7d8a"  # told apart by the colour-blind, on light and on dark
COLOURS = {"forward": BLUE, "reverse": ORANGE}
WIDTHS = {"single": 3.3, "double": 6.75}  # inches: a column of a paper, and its page
RATIO = 0.62  # height of a plot to its width

STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # which comes with matplotlib, so that a figure is the same on every machine
    "font.size": 8,
    "axes.titlesize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "lines.linewidth": 1.3,
    "text.parse_math": False,  # a class may be called $a_b$
    "axes.formatter.useoffset": False,
    "pdf.fonttype": 42,  # letters as letters, which publishers ask for
    "svg.hashsalt": "gevaldi",
}
METADATA: dict[str, dict[str, Any]] = {
    ".png": {"Software": None},
    ".svg": {"Date": None, "Creator": None},
    ".pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
"""What can be written, and what is left out of it so that the same rows give the same bytes."""


class NothingToDraw(GevaldiError):
    """A run lacks the data for a figure; the message says which, and how to get it."""


@contextmanager
def style() -> Iterator[None]:
    """A context in which figures use GeValDi's style and ignore the user's matplotlib settings."""
    import matplotlib.style

    with matplotlib.style.context(["default", STYLE]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)  # it is shown as a box
        yield


def blank(width: str | float = "single", ratio: float = RATIO) -> "Figure":
    """An empty figure.

    Args:
        width: single or double, as the columns of a paper, or a number of inches.
        ratio: its height in widths.

    Raises:
        SpecError: there is no such width.
    """
    from matplotlib.figure import Figure

    inches = inches_of(width)
    with style():
        return Figure(figsize=(inches, inches * ratio), layout="constrained")


def inches_of(width: str | float) -> float:
    """A width in inches.

    Raises:
        SpecError: it is neither single nor double nor a number of inches above one.
    """
    inches = WIDTHS.get(width, 0.0) if isinstance(width, str) else width
    if isinstance(inches, bool) or not isinstance(inches, int | float) or not 1 <= inches <= 40:
        raise SpecError(
            f"width={width} is invalid; expected single (3.3 inches), double (6.75) or a number of inches from 1 to 40."
        )
    return inches


def saved(figure: "Figure", path: Location) -> Location:
    """Write a figure in the format of the path's suffix: .png (200 dots an inch), .svg or .pdf; equal figures give equal bytes.

    Raises:
        SpecError: the suffix is another one.
        RunFolderError: the file cannot be written.
    """
    suffix = ending_of(path)
    sink = io.BytesIO()
    with style():
        _settle(figure)
        figure.savefig(sink, format=suffix[1:], dpi=200, metadata=METADATA[suffix])
    try:
        make_folder(path.parent)
        remove_unfinished(path)
        write(path, sink.getvalue())
    except OSError as error:
        raise RunFolderError(f"The figure {path} cannot be written: {reason(error)}. {remedy(path, error)}") from error
    return path


def ending_of(path: Location) -> str:
    """The suffix of a figure's file: .png, .svg or .pdf.

    Raises:
        SpecError: it is another one.
    """
    suffix = path.suffix.lower()
    if suffix not in METADATA:
        raise SpecError(
            f"The figure {path} has {f'the suffix {suffix}' if suffix else 'no suffix'}; expected {', '.join(METADATA)}."
        )
    return suffix


def _settle(figure: "Figure") -> None:
    """Fix the layout of a figure: every drawing moves a constrained layout a little, so that two files would differ."""
    layout = figure.get_layout_engine()
    if layout is not None:  # a figure that is fixed has none
        layout.execute(figure)  # without drawing, which takes as long again
        layout.execute(figure)
        figure.set_layout_engine(None)


def as_svg(figure: "Figure", said: str = "") -> str:
    """A figure for a page: an SVG with selectable text, in the page's text colour and on its background.

    Args:
        figure: the figure.
        said: its description for screen readers.
    """
    import matplotlib

    sink = io.StringIO()
    with style(), matplotlib.rc_context({"svg.fonttype": "none"}):
        _settle(figure)
        figure.savefig(sink, format="svg", dpi=200, transparent=True, metadata=METADATA[".svg"])
    svg = sink.getvalue()
    svg = svg[svg.index("<svg") :].replace("#000000", "currentColor").replace('<g id="text', '<g fill="currentColor" id="text')
    referred = set(re.findall(r'url\(#([^)]+)\)|"#([^"]+)"', svg))
    kept = {name for pair in referred for name in pair if name}
    svg = re.sub(r' id="([^"]*)"', lambda found: found[0] if found[1] in kept else "", svg)  # a page may hold several figures
    label = f" aria-label={quoteattr(plain(said, None))}" if said else ""
    return svg.replace("<svg ", f'<svg class="plot" role="img"{label} ', 1)
