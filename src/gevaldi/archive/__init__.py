"""Many different disagreements: the most divergent picture for every pair of top classes."""
