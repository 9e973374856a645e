"""For tests, yours too: worlds in which the answer of a search is known in closed form."""
