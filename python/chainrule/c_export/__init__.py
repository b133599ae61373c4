# SPDX-License-Identifier: Apache-2.0
"""Networks as C99 source, for programs that cannot hold more than arithmetic.

`export_c` and ``chainrule export-c`` are the ways in. `lowering` makes `operations`
of the layers, in a `program`, and of one frame of sequences where `frames` allows it;
`quantization` gives dense ones integer weights; `source` writes them as calls of the functions in
the folder ``c``, and `self_test` writes what checks them.
"""

from chainrule.c_export.exporting import CExport, export_c

__all__ = ["CExport", "export_c"]
