"""What is learnt from: procedural scenes, photographs, folders of them."""
