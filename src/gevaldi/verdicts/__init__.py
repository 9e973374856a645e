"""Which of some classifiers to deploy: few labels, an interval that may be looked at at any time, and a decision. Needs no torch."""
