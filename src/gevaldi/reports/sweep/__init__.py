"""The page of a sweep: its matrices, pictures and sentences."""
