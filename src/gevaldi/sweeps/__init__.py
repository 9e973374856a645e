"""Sweeps, which compare every pair of several classifiers: those of this folder by name, others by path."""
