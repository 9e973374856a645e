"""The rows that a run still lacks, in chunks of their numbers."""

import math
from collections.abc import Container, Iterator

from gevaldi.runs.engines._spread import AHEAD


def chunk_size(missing: int, batch_size: int, workers: int, lanes: int) -> int:
    """Samples of a chunk: as many as a batch has, or fewer, in whole lanes, where some workers would have nothing to do."""
    share = math.ceil(missing / (AHEAD * max(1, workers)))
    return max(1, min(batch_size, math.ceil(share / lanes) * lanes))


def chunks(total: int, done: Container[int], size: int) -> Iterator[list[int]]:
    """The numbers of all rows but those that are `done`, in their order, up to `size` of them together."""
    chunk: list[int] = []
    for index in range(total):
        if index not in done:
            chunk.append(index)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
