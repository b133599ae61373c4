# SPDX-License-Identifier: Apache-2.0
"""Tables as they come: numbers, text, booleans, dates, with missing values.

`read_columns` reads them, `TableDescription` knows what their columns are, and `TableModel` has the
networks that learn from them. `chainrule.sklearn` has estimators upon this.
"""

from __future__ import annotations

from chainrule.tables.description import Column, TableDescription
from chainrule.tables.frames import read_columns
from chainrule.tables.model import Examples, TableModel
from chainrule.tables.preparation import Preparation
from chainrule.tables.saved import SavedModel
from chainrule.tables.target import Target

__all__ = [
    "Column",
    "Examples",
    "Preparation",
    "SavedModel",
    "TableDescription",
    "TableModel",
    "Target",
    "read_columns",
]
