"""GeValDi: generative validation of discriminative classifiers.

    import gevaldi

    comparison = gevaldi.compare("bundled:mnist-strided", "bundled:mnist-pooled", "bundled:mnist-vae", samples=16)
    comparison.report("report.html")

Names are imported when they are first used, so that `import gevaldi` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gevaldi.comparison import Comparison, compare
    from gevaldi.errors import GevaldiError
    from gevaldi.labelling.serve import label
    from gevaldi.models import Classifier, Generator, Label, classifier, generator
    from gevaldi.sweeps.results import SweepResult, sweep
    from gevaldi.verdicts.start import verdict
    from gevaldi.verdicts.verdict import Verdict

_HOMES = {
    "Comparison": "gevaldi.comparison",
    "SweepResult": "gevaldi.sweeps.results",
    "sweep": "gevaldi.sweeps.results",
    "compare": "gevaldi.comparison",
    "GevaldiError": "gevaldi.errors",
    "Classifier": "gevaldi.models",
    "Generator": "gevaldi.models",
    "Label": "gevaldi.models",
    "classifier": "gevaldi.models",
    "generator": "gevaldi.models",
    "label": "gevaldi.labelling.serve",
    "verdict": "gevaldi.verdicts.start",
    "Verdict": "gevaldi.verdicts.verdict",
}

__all__ = [
    "Classifier",
    "Comparison",
    "Generator",
    "GevaldiError",
    "Label",
    "SweepResult",
    "Verdict",
    "classifier",
    "compare",
    "generator",
    "label",
    "sweep",
    "verdict",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("gevaldi")
    if name not in _HOMES:
        raise AttributeError(f"module 'gevaldi' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
