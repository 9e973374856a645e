"""The order in which pictures are labelled: uniformly random, and a function of the seed and the pictures' ids alone.

Each picture has a place of its own in it, whichever others are there. So the order within the pictures on which two classifiers
differ is uniform for every pair, and stays what it was if the pool or the number of classifiers grows.
"""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
from jaxtyping import UInt64


def priorities(ids: Iterable[str], seed: int) -> UInt64[np.ndarray, " pictures"]:
    """The places of pictures in the order, as whole numbers below 2^64; smaller ones are labelled first."""
    return np.frombuffer(b"".join(_digest(text, seed) for text in ids), dtype=">u8").astype(np.uint64)


def priority(text: str, seed: int) -> int:
    """The place of one picture."""
    return int.from_bytes(_digest(text, seed), "big")


def _digest(text: str, seed: int) -> bytes:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=8, key=seed.to_bytes(8, "big", signed=True)).digest()


def is_first(text: str, seed: int) -> bool:
    """Whether the first of two answers stands first where a person chooses between both, so that nobody learns which is whose."""
    return bool(priority(f"side of {text}", seed) & 1)
