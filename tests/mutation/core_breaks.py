# SPDX-License-Identifier: Apache-2.0
"""Small breaks of the compiled core: (file under cpp/src, text that occurs there once, new text).

`run_core.py` makes one after the other and expects the tests to notice. A change of the core
that rewords a line changes its entry here. Equivalent breaks are left out: other speeds, other
sizes of blocks, and texts of errors.
"""

import layer_breaks
import step_breaks

BREAKS = layer_breaks.BREAKS + step_breaks.BREAKS
