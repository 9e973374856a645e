"""TensorBoard: numbers as scalars, pictures as images, sentences and captions as text."""

from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gevaldi.integrations.contents import GROUP, check_installed, escaped
from gevaldi.integrations.results import Source, contents_of

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def log(source: Source, writer: "SummaryWriter | str | Path", *, step: int = 0) -> None:
    """Log a result for TensorBoard.

    Scalars are called gevaldi/accuracy/difference, gevaldi/accuracy/difference_low, gevaldi/accuracy/difference_high and so on.

    Args:
        source: a verdict, a comparison, regions, or the folder of one.
        writer: a writer of yours, which stays open, or a log folder.
        step: of all that is logged, such as the epoch of the new classifier.

    Raises:
        MissingExtra: TensorBoard is not installed.
        GevaldiError: the result cannot be read.
    """
    check_installed("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    contents = contents_of(source)
    own = closing(SummaryWriter(str(writer))) if isinstance(writer, str | Path) else nullcontext(writer)
    with own as sink:
        for name, value in contents.numbers().items():
            sink.add_scalar(name, value, step)
        for picture in contents.pictures:
            levels = np.asarray(picture.image)
            sink.add_image(f"{GROUP}/{picture.name}", levels, step, dataformats="HW" if levels.ndim == 2 else "HWC")
        captions = "\n".join(f"- {picture.name}: {escaped(picture.caption)}" for picture in contents.pictures)
        for name, text in {"summary": contents.markdown(), "captions": captions}.items():
            sink.add_text(f"{GROUP}/{name}", text, step)
        sink.flush()
