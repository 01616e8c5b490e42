"""Many devices measured at once, into one result and one page."""
