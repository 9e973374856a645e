"""Completion of names with a colon in bash, which splits words at colons."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def complete_colons() -> Iterator[None]:
    """Join words that bash split at colons, so that completion sees `bundled:mnist-p`; print only the part after the colon.

    Does nothing unless bash requests completion of a word that it split.
    """
    text = os.environ.get("COMP_WORDS", "")
    separator = "\n" if "\n" in text else " "
    words = text.split(separator)
    if os.environ.get("_GEVALDI_COMPLETE") != "complete_bash" or ":" not in words:
        yield
        return
    upto = int(os.environ.get("COMP_CWORD", len(words) - 1)) + 1
    gap = re.escape(separator)
    joined = re.sub(f"{gap}:{gap}?", ":", separator.join(words[:upto]))
    os.environ["COMP_WORDS"] = separator.join([joined, *words[upto:]])
    os.environ["COMP_CWORD"] = str(len(joined.split(separator)) - 1)
    prefix, colon, _ = joined.split(separator)[-1].rpartition(":")
    offered = io.StringIO()
    try:
        with redirect_stdout(offered):
            yield
    finally:
        print("\n".join(name.removeprefix(prefix + colon) for name in offered.getvalue().split()))  # noqa: T201
