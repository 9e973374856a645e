"""Set distances over steps for two pairs of classifiers, and the divergence for several, as in the paper's Figure 3."""

from gevaldi.reproduction.evidence import Evidence
from gevaldi.reproduction.figures.base import Panel, PaperFigure, band_of, panels


def capacity(evidence: Evidence, *, pairs: list[str], sizes: list[int]) -> PaperFigure:
    """For each of `pairs` the set distances of `sizes` top classes, and the divergence of all runs."""
    shown = [
        Panel(
            f"({'abcdef'[i]}) {pair}",
            "set distance (levels)",
            {f"n = {n}": band for n in sizes if (band := band_of(evidence, pair, f"path_set_distance_{n}"))},
        )
        for i, pair in enumerate(pairs)
    ]
    divergence = {run: band for run in evidence.runs if (band := band_of(evidence, run, "path_divergence"))}
    return panels([*shown, Panel(f"({'abcdef'[len(pairs)]}) divergence", "KL divergence (nats)", divergence)])
