"""The Fourier transform's forms in a graph."""
