# SPDX-License-Identifier: Apache-2.0
"""Python files below docs/ are the site's; the Markdown's examples are tests."""

collect_ignore_glob = ["*.py"]
