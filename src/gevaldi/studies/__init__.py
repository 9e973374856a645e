"""The study of whether maximally different samples change which classifier people choose."""
