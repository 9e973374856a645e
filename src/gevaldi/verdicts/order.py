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
    key = seed.to_bytes(8, "big", signed=True)
    digests = (blake2b(text.encode(errors="surrogatepass"), digest_size=8, key=key).digest() for text in ids)
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)


def is_first(text: str, seed: int) -> bool:
    """Whether the first of two answers stands first where a person chooses between both, so that nobody learns which is whose."""
    return bool(priorities([f"side of {text}"], seed)[0] & np.uint64(1))
