# SPDX-License-Identifier: Apache-2.0
"""Check a built wheel: what must be inside, what must not, and its size."""

from __future__ import annotations

import fnmatch
import sys
import zipfile
from pathlib import Path

LIMIT = 3_000_000
REQUIRED = [
    "chainrule/__init__.py",
    "chainrule/_core.*.so",
    "chainrule/_core.pyi",
    "chainrule/cli*",
    "chainrule/data/digits/*.npz",
    "chainrule/c_export/c/*.c",
    "chainrule/c_export/templates/*",
    "chainrule/explanation/page/*.js",
    "chainrule/explanation/page/page.html",
    "chainrule/include/chainrule/*.hpp",
    "chainrule/include/chainrule/c/*.h",
    "chainrule/include/chainrule/chainrule.h",
    "chainrule/include/chainrule/version.h",
    "chainrule/lib/cmake/chainrule/chainruleConfig.cmake",
    "chainrule/lib/libchainrule-*.so",
    "chainrule/lib/pkgconfig/chainrule.pc",
    "chainrule/py.typed",
    "*.dist-info/licenses/LICENSE",
]
FORBIDDEN = ["*.cpp", "*/tests/*", "*__pycache__*", "*.o", "*.a"]


def problems(wheel: Path) -> list[str]:
    """List what is wrong with ``wheel``, one line each."""
    names = zipfile.ZipFile(wheel).namelist()
    found = [f"missing: {p}" for p in REQUIRED if not fnmatch.filter(names, p)]
    found += [f"should not be inside: {n}" for p in FORBIDDEN for n in fnmatch.filter(names, p)]
    # The Python module and C++ programs use the same; a symbolic link would be another copy.
    if len(copies := fnmatch.filter(names, "*/libchainrule*")) != 1:
        found.append(f"not one library, but {copies}")
    if wheel.stat().st_size > LIMIT:
        found.append(f"{wheel.stat().st_size} bytes, more than {LIMIT}")
    return found


def main() -> None:
    """Print the wheel's size and exit with status 1 if it has problems."""
    wheel = Path(sys.argv[1])
    with zipfile.ZipFile(wheel) as archive:
        print(
            f"{wheel.name}: {wheel.stat().st_size / 2**20:.2f} MiB, {len(archive.namelist())} files"
        )
    if lines := problems(wheel):
        sys.exit("\n".join(lines))


if __name__ == "__main__":
    main()
