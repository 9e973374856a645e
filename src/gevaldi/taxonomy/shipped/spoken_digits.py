"""The ten English digits by their sound."""

from functools import cache
from itertools import product

import numpy as np

from gevaldi.taxonomy.base import Taxonomy
from gevaldi.taxonomy.learnt import taxonomy_from_dissimilarities

WORDS = {
    "zero": "zɪɹoʊ",
    "one": "wʌn",
    "two": "tu",
    "three": "θɹi",
    "four": "fɔɹ",
    "five": "faɪv",
    "six": "sɪks",
    "seven": "sɛvən",
    "eight": "eɪt",
    "nine": "naɪn",
}
"""General American, a letter a phone; a diphthong is two."""

CONSONANTS = {
    "k": ("velar", "plosive", "voiceless"),
    "t": ("alveolar", "plosive", "voiceless"),
    "f": ("labiodental", "fricative", "voiceless"),
    "v": ("labiodental", "fricative", "voiced"),
    "θ": ("dental", "fricative", "voiceless"),
    "s": ("alveolar", "fricative", "voiceless"),
    "z": ("alveolar", "fricative", "voiced"),
    "n": ("alveolar", "nasal", "voiced"),
    "ɹ": ("alveolar", "approximant", "voiced"),
    "w": ("labial-velar", "approximant", "voiced"),
}
VOWELS = {
    "i": ("close", "front", "unrounded"),
    "u": ("close", "back", "rounded"),
    "ɪ": ("near-close", "front", "unrounded"),
    "ʊ": ("near-close", "back", "rounded"),
    "e": ("close-mid", "front", "unrounded"),
    "o": ("close-mid", "back", "rounded"),
    "ə": ("mid", "central", "unrounded"),
    "ɛ": ("open-mid", "front", "unrounded"),
    "ʌ": ("open-mid", "back", "unrounded"),
    "ɔ": ("open-mid", "back", "rounded"),
    "a": ("open", "front", "unrounded"),
}


def unlikeness(one: str, other: str) -> float:
    """The share of the three articulatory features in which two phones differ; 1 between a consonant and a vowel."""
    for phones in (CONSONANTS, VOWELS):
        if one in phones and other in phones:
            return sum(a != b for a, b in zip(phones[one], phones[other], strict=True)) / 3
    return 1.0


def edit_distance(one: str, other: str) -> float:
    """The least cost of turning a word into another [Levenshtein 1966], over the phones of the longer: in [0, 1].

    A phone that is left out or put in costs 1, and one that is replaced costs its `unlikeness`.
    """
    cost = np.add.outer(np.arange(len(one) + 1.0), np.arange(len(other) + 1.0))
    for i, j in product(range(len(one)), range(len(other))):
        cost[i + 1, j + 1] = min(cost[i, j + 1] + 1, cost[i + 1, j] + 1, cost[i, j] + unlikeness(one[i], other[j]))
    return float(cost[-1, -1] / max(len(one), len(other)))


@cache
def spoken_digits() -> Taxonomy:
    """The 10 spoken digits of English by the phones that they share: five with nine, six with seven, two with three.

    Average linkage of the edit distances between their phones, where a phone is the likelier to be taken for another the more
    articulatory features the two share: place, manner and voice of consonants; height, backness and rounding of vowels
    [International Phonetic Association 1999]. No classifier has its ids, such as `spoken:five`, so it is used only on request; a
    label such as "five" is matched by name.
    """
    apart = np.array([[edit_distance(one, other) for other in WORDS.values()] for one in WORDS.values()])
    return taxonomy_from_dissimilarities(
        apart, [f"spoken:{word}" for word in WORDS], names={f"spoken:{word}": word for word in WORDS}
    )
