"""The order of the classifiers changes the divergence."""

from gevaldi.reproduction.evidence import Evidence, Finding, column


def order_matters(evidence: Evidence, *, one: str, other: str) -> Finding:
    """The mean divergence at the end differs between two runs of the same pair in either order."""
    difference = evidence.contrast({one: 1.0, other: -1.0}, column("divergence_end"))
    differs = difference.low > 0 or difference.high < 0
    measured = {f"end, nats: {one} minus {other}": difference}
    rests_on = f"{evidence.rests_on(one, other)}; it holds if they differ either way"
    return Finding("holds" if differs else "undecided", measured, rests_on)
