# SPDX-License-Identifier: Apache-2.0
"""Doxygen's XML of the public headers, which Breathe turns into pages."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

_OPTIONS = """
INPUT                  = "{include}"
RECURSIVE              = YES
FILE_PATTERNS          = *.hpp *.h
STRIP_FROM_PATH        = "{include}"
OUTPUT_DIRECTORY       = "{output}"
GENERATE_XML           = YES
GENERATE_HTML          = NO
GENERATE_LATEX         = NO
XML_PROGRAMLISTING     = NO
QUIET                  = YES
WARN_IF_UNDOCUMENTED   = NO
WARN_AS_ERROR          = FAIL_ON_WARNINGS
JAVADOC_AUTOBRIEF      = YES
AUTOLINK_SUPPORT       = NO
MARKDOWN_SUPPORT       = YES
EXTRACT_ALL            = YES
EXTRACT_PRIVATE        = NO
HIDE_FRIEND_COMPOUNDS  = YES
EXCLUDE_SYMBOLS        = *detail* *internal*
ENABLE_PREPROCESSING   = YES
MACRO_EXPANSION        = YES
EXPAND_ONLY_PREDEF     = YES
FILTER_PATTERNS        = "*.h={filter}" "*.hpp={filter}"
INCLUDE_GRAPH          = NO
INCLUDED_BY_GRAPH      = NO
PREDEFINED             = CHAINRULE_API= CHAINRULE_EXPORT= __cplusplus=202002L
"""


def write_xml(include: Path, output: Path) -> None:
    """Run Doxygen over the headers of a folder; its warnings are errors."""
    if shutil.which("doxygen") is None:
        raise RuntimeError("the reference of the headers needs doxygen: apt install doxygen")
    output.mkdir(parents=True, exist_ok=True)
    read = f"{sys.executable} {Path(__file__).with_name('doxygen_filter.py')}"
    options = _OPTIONS.format(include=include, output=output, filter=read)
    subprocess.run(["doxygen", "-"], input=options, text=True, check=True)
    for page in (output / "xml").glob("[cs][lt][ar]*.xml"):  # of classes and structures
        # Which header it is in, the section of the page says.
        page.write_text(re.sub(r" *<includes .*</includes>\n", "", page.read_text()))
