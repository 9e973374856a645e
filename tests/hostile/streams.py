"""Commands whose streams have any encoding, are full, closed, or read by nobody; what they make is there all the same."""

import encodings.aliases
import random
from pathlib import Path

from hostile.case import PIPE, Case
from hostile.seeds import PAIR, SHORT, copied

BYTES = {"base64_codec", "bz2_codec", "hex_codec", "quopri_codec", "rot_13", "uu_codec", "zlib_codec", "mbcs", "tactis", "idna"}
ENCODINGS = sorted({*encodings.aliases.aliases.values()} - BYTES)
ERRORS = ("", ":strict", ":replace", ":surrogateescape", ":ignore", ":namereplace")
PLACES = ("/dev/full", "/dev/null", PIPE, None)
COMMANDS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("compare", *PAIR, *SHORT, "--out", "new", "--verbose"), ("new/report.html", "new/samples/part-*.parquet")),
    (("resume", "run"), ("run/report.html",)),
    (("report", "run", "--out", "new.html"), ("new.html",)),
    (("figure", "run", "divergence", "--out", "new.png"), ("new.png",)),
    (("figure", "run"), ()),
    (("export", "run", "--to", "parquet", "--out", "new"), ("new/*.parquet",)),
    (("list",), ()),
    (("list", "nothing"), ()),
    (("show", "wasserstein"), ()),
    (("show", "spec"), ()),
    (("distance", "harvestman", "barn spider"), ()),
    (("distance", "Δ", "λ"), ()),
    (("--help",), ()),
    (("compare", "--help"), ()),
    (("compare", "--samples", "λ"), ()),
    (("reproduce",), ()),
    (("train",), ()),
)


def make(chance: random.Random, folder: Path) -> Case:
    words, makes = chance.choice(COMMANDS)
    if "run" in words:
        copied(folder / "run")
        (folder / "run" / "report.html").unlink(missing_ok=True)
    environment = {"PYTHONIOENCODING": chance.choice(ENCODINGS) + chance.choice(ERRORS)} if chance.random() < 0.7 else {}
    closed = {name: chance.choice(PLACES) for name in ("stdout", "stderr") if chance.random() < 0.5}
    return Case(words, environment, closed | ({"stdin": None} if chance.random() < 0.2 else {}), makes)
