"""Regions of disagreement: which pictures two classifiers differ on, how many, and what sets these pictures apart."""
