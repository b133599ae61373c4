# SPDX-License-Identifier: Apache-2.0
"""Speed beside that of other libraries, on the same work by one protocol; see `run.py`."""

from harness.figure import plot_ratios as plot_ratios
from harness.json import as_json as as_json
from harness.protocol import measure as measure
from harness.report import Ceiling as Ceiling
from harness.report import Measurement as Measurement
from harness.report import Report as Report
from harness.table import markdown as markdown
from harness.table import rates as rates
from harness.table import with_table as with_table
from harness.workloads import IMAGES as IMAGES
from harness.workloads import QUICK as QUICK
from harness.workloads import SPARSE as SPARSE
from harness.workloads import WORKLOADS as WORKLOADS

__all__ = [
    "IMAGES",
    "QUICK",
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
