"""The deploy graph: what a generator becomes before it is of any format."""
