"""What a generator of hostile inputs makes: a command line, in a folder with the files that it names.

A kind of input is a module of this package that holds `make(chance, folder) -> Case`. All that it makes follows from `chance`, so
that a kind and a seed stand for one input, on any machine.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PIPE = "a pipe that nobody reads"
CANARY = "canary"  # the name of the file that hostile code writes, in the folder of its case


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        words: of the command line, after `gevaldi`.
        environment: variables that are set.
        closed: streams that nobody reads (PIPE), that are not there (None), or that are a file: {"stdout": "/dev/full"}.
        makes: files that must be there afterwards, as patterns.
    """

    words: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    closed: dict[str, str | None] = field(default_factory=dict)
    makes: tuple[str, ...] = ()


Make = Callable[[random.Random, Path], Case]
