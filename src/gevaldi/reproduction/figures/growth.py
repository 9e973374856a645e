"""The divergence and Δz over steps, as in the paper's Figure 4."""

from gevaldi.reproduction.evidence import Evidence
from gevaldi.reproduction.figures.base import Panel, PaperFigure, band_of, panels


def growth(evidence: Evidence) -> PaperFigure:
    """Divergence and Δz, with one line per run."""
    quantities = {"(a) divergence": ("KL divergence (nats)", "path_divergence"), "(b) Δz": ("Δz", "path_delta_z")}
    return panels(
        [
            Panel(title, label, {run: band for run in evidence.runs if (band := band_of(evidence, run, column))})
            for title, (label, column) in quantities.items()
        ]
    )
