"""Classifiers made of other classifiers: an ensemble, another temperature, fewer bits, fewer weights, borrowed gradients."""
