"""Classifiers compared each with each, as one spec: those of this folder by name, others by path."""
