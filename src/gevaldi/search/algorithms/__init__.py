"""The search algorithms, one a file."""
