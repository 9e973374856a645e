"""The small models that ship with GeValDi, the code that trained them, and a thousand real pictures of each data set to hold them against."""
