# SPDX-License-Identifier: Apache-2.0
"""Prints a header with its comments in the forms that Doxygen reads: doxygen_filter.py FILE.

In the headers, a comment with ``///`` (C: ``/*``) stands above the declaration that it describes,
and one with ``//`` (C: ``/* */``) behind the member that it describes.
"""

import re
import sys
from pathlib import Path

text = Path(sys.argv[1]).read_text()
if sys.argv[1].endswith(".h"):
    licence, _, text = text.partition("\n")
    text = licence + "\n" + re.sub(r"^/\*(?= )", "/**", text, flags=re.MULTILINE)
    text = text.replace("/**", "/** @file\n *", 1)
    text = re.sub(r"^( +)/\*(?= )", r"\1/**", text, flags=re.MULTILINE)
    text = re.sub(r"([,;]|= \d+) +/\*(?= )", r"\1 /**<", text)
    # A structure and its typedef are one thing, not two of the same name.
    text = re.sub(
        r"typedef struct (\w+) \{(.*?)\n\} \1;", r"struct \1 {\2\n};", text, flags=re.DOTALL
    )
else:
    # Rows of tables, which are not for users; Sphinx does not read designated initialisers.
    text = re.sub(r"static constexpr \w+ row\{[^}]*\};", "", text)
    text = re.sub(r"([,;]) +// ", r"\1 ///< ", text)
# <memory> is a header, not a tag.
text = re.sub(r"^( *///.*?)<(?=\w+>)", r"\1\\<", text, flags=re.MULTILINE)
sys.stdout.write(text)
