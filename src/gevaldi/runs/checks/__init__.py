"""What is checked before a search: the generator, the classifiers on real pictures, and how each network sees pictures."""
