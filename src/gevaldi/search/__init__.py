"""How to find z: one loop, and one file per algorithm.

An algorithm has `start` and `step`, and no state. To add one, add a file with a class of the file's name.
"""

from gevaldi.registry import Registry

registry = Registry("search algorithm", "gevaldi.search.algorithms")
