"""Bundled taxonomies, by name; to add one, add a file that holds a function of the file's name."""

from gevaldi.registry import Registry

registry = Registry("taxonomy", "gevaldi.taxonomy.shipped")
