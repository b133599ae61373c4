# SPDX-License-Identifier: Apache-2.0
"""``python -m chainrule``: the command line."""

import sys

from chainrule.cli import main

if __name__ == "__main__":
    sys.exit(main())
