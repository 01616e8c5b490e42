"""Folders of pictures inpainted by several workers, on this machine or a cluster."""
