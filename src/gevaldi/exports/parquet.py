"""One table in one file."""

from pathlib import Path

from gevaldi.exports._table import write_table
from gevaldi.exports.base import Export, Pictures


def parquet(pictures: Pictures, about: Export) -> Path:
    """One file, data.parquet, with a row for each picture.

    The column image holds the PNG (image.bytes) and a file name (image.path), and if the pictures are sounds, audio the FLAC; all
    other columns are numbers and text.
    Open it with pandas.read_parquet(FILE), in DuckDB with SELECT * FROM 'FILE', or with datasets.load_dataset(FOLDER).
    """
    return write_table(pictures, about, {"dtype": "string", "_type": "Value"})
