"""What the header of a FLAC file says, read without decoding it. Needs neither torch nor soundfile."""

from gevaldi.errors import DataError

MARK = b"fLaC"
HEADER = 42  # bytes of the mark and of the first block, STREAMINFO, with its own head


def rate_and_length(content: bytes, name: str) -> tuple[int, int]:
    """Sample rate in Hz, and number of samples of a sound in a row [RFC 9639, section 8.2]; the latter is 0 if it is not known.

    Args:
        content: the file.
        name: of the sound, for errors.

    Raises:
        DataError: it is no FLAC file.
    """
    if len(content) < HEADER or not content.startswith(MARK) or content[4] & 0x7F:
        raise DataError(
            f"{name} cannot be read as a sound: it is no FLAC file. gevaldi verify RUN says whether the run was changed."
        )
    bits = int.from_bytes(content[18:26], "big")
    return bits >> 44, bits & (2**36 - 1)
