"""How to compute networks on a machine: precision, block shape, threads, memory format, batch size."""
