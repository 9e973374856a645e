"""A run: its spec, its folder, and the workers that fill it. The spec and the folder need no torch."""
