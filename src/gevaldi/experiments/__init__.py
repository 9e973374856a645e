"""Experiments, which answer a question by several comparisons; one per file, those of this folder by name, others by path."""

from gevaldi.experiments.spec import Experiment, names, read_experiment, text_of

__all__ = ["Experiment", "names", "read_experiment", "text_of"]
