"""How z is found: the loop once, an algorithm a file.

An algorithm has `start` and `step`, and no state of its own. To add one, add a file that holds a class of the file's name.
"""

from gevaldi.registry import Registry

registry = Registry("search algorithm", "gevaldi.search.algorithms")
