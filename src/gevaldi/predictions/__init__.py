"""What classifiers say of every picture of a pool: computed once and stored, or read from a table. Needs no torch to read."""
