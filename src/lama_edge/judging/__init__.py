"""What outputs are judged by: the pictures, the figures, and what they must reach."""
