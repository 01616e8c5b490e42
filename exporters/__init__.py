"""From a generator to a deploy graph, and from the deploy graph to each format."""
