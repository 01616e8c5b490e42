"""Models whole at full resolution in bounded memory: parts of the graph, piece by piece."""
