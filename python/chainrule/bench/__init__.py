# SPDX-License-Identifier: Apache-2.0
"""Speed beside that of other libraries, on the same work by one protocol."""

from chainrule.bench.figure import plot_ratios as plot_ratios
from chainrule.bench.json import as_json as as_json
from chainrule.bench.protocol import measure as measure
from chainrule.bench.report import Ceiling as Ceiling
from chainrule.bench.report import Measurement as Measurement
from chainrule.bench.report import Report as Report
from chainrule.bench.table import markdown as markdown
from chainrule.bench.table import rates as rates
from chainrule.bench.table import with_table as with_table
from chainrule.bench.workloads import QUICK as QUICK
from chainrule.bench.workloads import SMALL as SMALL
from chainrule.bench.workloads import SPARSE as SPARSE
from chainrule.bench.workloads import WORKLOADS as WORKLOADS

__all__ = [
    "QUICK",
    "SMALL",
    "SPARSE",
    "WORKLOADS",
    "Ceiling",
    "Measurement",
    "Report",
    "as_json",
    "markdown",
    "measure",
    "plot_ratios",
    "rates",
    "with_table",
]
