"""How networks are computed on a machine: precision, block shape, threads, memory format, batch size."""
