"""Questions that take several comparisons, each a file: those of this folder by name, others by path."""

from gevaldi.experiments.spec import Experiment, names, read_experiment, text_of
from gevaldi.experiments.sweep import Sweep, read_sweep, sweep_names, sweep_text

__all__ = ["Experiment", "Sweep", "names", "read_experiment", "read_sweep", "sweep_names", "sweep_text", "text_of"]
