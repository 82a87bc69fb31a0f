"""`python -m avs_lightning.cli` is `avs`."""

import sys

from avs_lightning.cli import main

if __name__ == "__main__":
    sys.exit(main())
