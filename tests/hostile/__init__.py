"""Hostile and broken inputs by seed, each a command line in a folder of its own: `python -m hostile`, from the folder `tests`."""
