# SPDX-License-Identifier: Apache-2.0
"""Training speed beside that of other libraries, on the same work by one protocol."""

from chainrule.bench.protocol import Measurement as Measurement
from chainrule.bench.protocol import Report as Report
from chainrule.bench.protocol import measure as measure
from chainrule.bench.table import as_json as as_json
from chainrule.bench.table import markdown as markdown
from chainrule.bench.workload import WORKLOADS as WORKLOADS
from chainrule.bench.workload import Workload as Workload

__all__ = ["WORKLOADS", "Measurement", "Report", "Workload", "as_json", "markdown", "measure"]
