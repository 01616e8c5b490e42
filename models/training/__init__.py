"""Training of small generators: masks, procedural scenes and the training loop."""
