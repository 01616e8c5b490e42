"""The arithmetic of the reference and of the judges: plain functions of NumPy arrays.

Each computes in the type that it is given, and changes none of its arguments. Sums are in the
elements' own type, so whoever emulates a type of fewer bits widens first and rounds afterwards.
"""
