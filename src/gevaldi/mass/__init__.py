"""How much of what a generator draws two classifiers dispute."""
