"""`python -m lama_edge.cli` is the `lama-edge` command."""

import sys

from lama_edge.cli import main

if __name__ == "__main__":
    sys.exit(main())
