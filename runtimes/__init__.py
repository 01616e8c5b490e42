"""Runners that execute exported models, and the inpainter that applications use."""
