"""A benchmark: pairs of classifiers whose systematic difference is known."""
