"""Which of some classifiers to deploy: a decision from few labels, which may be looked at at any time."""
