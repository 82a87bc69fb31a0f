"""`python -m avs_lightning.cli` is `avs`."""

import sys

from avs_lightning.cli import main

sys.exit(main())
