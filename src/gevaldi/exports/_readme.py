"""The page that lies in every export: what it is, how it is opened, what its columns hold."""

from collections.abc import Sequence
from typing import Any

from gevaldi.exports._columns import columns_of
from gevaldi.exports.base import Export
from gevaldi.names import full_name, plain


def readme(about: Export, documentation: str, notes: Sequence[str]) -> str:
    """A page in Markdown. Its head says to `datasets` which files are the data, whatever the folders of classes are called."""
    files = "data.parquet" if (about.folder / "data.parquet").exists() else "**"
    said, bar = "".join(f" {note}" for note in notes), r"\|"
    models = about.record.get("models", {})
    named = {
        side: full_name(models.get(side, {}).get("name") or getattr(about.spec, side)) for side in ("first", "second", "generator")
    }
    columns = "\n".join(
        f"| {name} | {column.meaning.replace('|', bar)} |" for name, column in columns_of(about.spec.set_sizes).items()
    )
    return f"""---
configs:
- config_name: default
  data_files:
  - split: train
    path: "{files}"
---

# Pictures on which two classifiers differ

GeValDi searched the latents of {_code(named["generator"])} for pictures on which the first classifier, {_code(named["first"])},
and the second, {_code(named["second"])}, differ most. These are {about.samples:,} samples of that search.{said} The pictures are
generated: what one shows is not known until somebody has looked, and a label is as good as what it was taken from.

The run is made again by: {_code(about.record.get("command", ""))}

## This format

{documentation}

## The columns

| column | what it holds |
|---|---|
{columns}
"""


def _code(text: Any) -> str:
    """Text that stands in the page as it is, on one line, whatever it holds."""
    return "`" + plain(text, 500).replace("`", "'") + "`"
