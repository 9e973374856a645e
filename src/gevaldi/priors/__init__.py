"""p(z): the distribution of a generator's latents, and how typical a latent is under it.

A prior is a class with `sample`, `log_prob`, `typicality` and its inverse `project`. To add one, add a file
that holds a class of the file's name.
"""

from gevaldi.registry import Registry

registry = Registry("prior", "gevaldi.priors")
