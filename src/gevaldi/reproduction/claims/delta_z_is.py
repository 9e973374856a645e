"""How far the latent moves, relative to the norm of its end."""

from gevaldi.reproduction.evidence import Evidence, Finding, column, verdict


def delta_z_is(evidence: Evidence, *, about: float, within: float) -> Finding:
    """The mean Δz at the end is `about` a number: at most `within` away from it, in every run."""
    measured = {run: evidence.mean(run, column("delta_z")) for run in evidence.there()}
    low, high = about - within, about + within
    inside = all(low <= e.low and e.high <= high for e in measured.values())
    outside = any(e.high < low or e.low > high for e in measured.values())
    rests_on = f"{evidence.rests_on(*measured)}{evidence.without()}; it holds from {low:.2f} to {high:.2f}"
    return Finding(verdict(inside, outside), measured, rests_on)
