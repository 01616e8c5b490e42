"""Where models are measured: this machine, and devices that can be reached from it."""
