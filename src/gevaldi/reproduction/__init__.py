"""Reproduces the paper's figures in several worlds, and tests its claims on the results."""
