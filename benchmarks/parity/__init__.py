"""Whether models compute what a reference computes."""
