"""The small models that ship with GeValDi, the code that trained them, and real pictures to hold them against."""
