# SPDX-License-Identifier: Apache-2.0
"""Many exports that each compiler takes as a few files: its start costs more than a network does.

What a compiler sees of an export is the text that the export wrote, in the file itself, for
warnings are fewer of what a file includes. Only exports that include the same headers of the C
library share a file, so that none is given one by another.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
from collections import defaultdict

from compiled_c import LEVELS, build, link

_INCLUDED = re.compile(r"^#include <.*>$", re.MULTILINE)
# What a self-test defines at the beginning of a line, which all of them name alike.
_DEFINED = re.compile(r"^(?:static (?:const )?\w+|enum \{|int) ?(\w+)", re.MULTILINE)


def _renamed(name, text):
    """Return a self-test's text as that of the function NAME_test_main."""
    words = [*dict.fromkeys(_DEFINED.findall(text))]
    return "".join(
        [
            *(f"#define {word} {name}_test_{word}\n" for word in words),
            "int main(void);\n",
            text,
            *(f"#undef {word}\n" for word in words),
        ]
    )


def _caller(names):
    """Return a program that runs the self-test it is told."""
    calls = [f'  if (!strcmp(arguments[1], "{name}")) return {name}_test_main();' for name in names]
    return "\n".join(
        [
            "#include <string.h>",
            *(f"int {name}_test_main(void);" for name in names),
            "int main(int count, char** arguments) {",
            "  if (count != 2) return 3;",
            *calls,
            "  return 4;",
            "}\n",
        ]
    )


class Together:
    """Exports in one folder, each made by a function of the folder and its name."""

    def __init__(self, folder, exports):
        self._folder = folder
        self._made = {}
        self._built = {}
        groups = defaultdict(list)
        for name, export in exports.items():
            try:
                self._made[name] = export(folder, name)
            except Exception as error:  # The test of this export raises it.
                self._made[name] = error
                continue
            texts = [(folder / f"{name}{end}").read_text() for end in (".h", ".c", "_test.c")]
            groups[tuple(frozenset(_INCLUDED.findall(text)) for text in texts)].append(name)
        self._groups = [*groups.values()]

    def __getitem__(self, name):
        """Return what the function of an export returned."""
        if isinstance(self._made[name], Exception):
            raise self._made[name]
        return self._made[name]

    def self_test(self, compiler, name, *flags):
        """Run an export's self-test, compiled with flags; return the finished process."""
        program = self._once(self._program, compiler, flags)
        return subprocess.run([str(program), name], capture_output=True, text=True)

    def library(self, compiler):
        """Return the shared library of all exports, optimised."""
        return self._once(self._library, compiler)

    def _once(self, make, *arguments):
        """Return what is made of arguments by the first call, or fail as the first one did."""
        key = (make.__name__, *arguments)
        if key not in self._built:
            try:
                self._built[key] = make(*arguments), None
            except AssertionError as error:
                # Compilers have much to say of many networks.
                self._built[key] = None, str(error)[:4000]
        made, failure = self._built[key]
        assert failure is None, failure
        return made

    def _compiled(self, compiler, group, flags):
        """Return the object of a group of exports."""
        level = "-O0" if flags else LEVELS.get(compiler, "-O1")
        texts = [(self._folder / f"{name}.c").read_text() for name in self._groups[group]]
        return self._object(compiler, f"group_{group}", texts, level, *flags)

    def _object(self, compiler, stem, texts, *flags):
        source = self._folder / f"{stem}.c"
        source.write_text("\n".join(texts))
        target = self._folder / f"{stem}_{compiler}{'_checked' * (len(flags) > 1)}.o"
        return build(compiler, target, "-fPIC", *flags, "-c", source)

    def _program(self, compiler, flags):
        objects = []
        for group, names in enumerate(self._groups):
            objects.append(self._once(self._compiled, compiler, group, flags))
            texts = [
                _renamed(name, (self._folder / f"{name}_test.c").read_text()) for name in names
            ]
            objects.append(self._object(compiler, f"tests_{group}", texts, "-O0", *flags))
        names = [name for group in self._groups for name in group]
        objects.append(self._object(compiler, "all_tests", [_caller(names)], "-O0"))
        return link(self._folder / f"all_{compiler}{'_checked' * bool(flags)}", *objects)

    def _library(self, compiler):
        groups = range(len(self._groups))
        objects = [self._once(self._compiled, compiler, group, ()) for group in groups]
        return ctypes.CDLL(str(link(self._folder / f"all_{compiler}.so", "-shared", *objects)))
