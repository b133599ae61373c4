# SPDX-License-Identifier: Apache-2.0
"""Networks as C99 source, for programs that cannot hold more than arithmetic.

`Sequential.export_c` and ``chainrule export-c`` are the ways in. `lowering` makes `operations` of
the layers; `quantization` turns dense ones into integers; `source` writes the operations as calls
of the functions in the folder ``c``, and `self_test` writes what checks them.
"""

from chainrule.export_c.exporting import CExport, export

__all__ = ["CExport", "export"]
