"""The small models that ship with GeValDi, the code that trained them, and a thousand real digits to hold them against."""
