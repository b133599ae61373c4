# SPDX-License-Identifier: Apache-2.0
"""Strangers' C++ and C programs against the library inside the installed package."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEADERS = ROOT / "cpp/include/chainrule"
CPP = sorted(path.name for path in HEADERS.glob("*.hpp"))


def included_by(name):
    """Return the headers of chainrule that a header includes, by itself and by others."""
    text = (HEADERS / name).read_text()
    direct = set(re.findall(r'^#include "chainrule/(.*\.hpp)"$', text, re.MULTILINE))
    return direct.union(*map(included_by, direct))


def chains():
    """Return lists that hold each header once, where each header includes those before it."""
    included = {name: included_by(name) for name in CPP}
    size = {name: (len(names), name) for name, names in included.items()}
    found = []
    left = set(CPP)
    while left:
        chain, rest = [], left
        while rest:
            chain.append(max(rest, key=size.__getitem__))
            left.discard(chain[-1])
            rest = included[chain[-1]] & left
        found.append(chain[::-1])
    return found


needs_gcc = pytest.mark.skipif(
    not (shutil.which("g++") and shutil.which("gcc")), reason="GCC is not installed"
)
needs_cmake = pytest.mark.skipif(not shutil.which("cmake"), reason="CMake is not installed")


def compiled(source, *flags, compiler="g++", language="c++"):
    """Check a source's syntax and return the finished compiler."""
    command = [compiler, *flags, f"-I{HEADERS.parent}", "-fsyntax-only", "-x", language, "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True)


def test_the_umbrella_header_has_all_others():
    included = re.findall(
        r'^#include "chainrule/(.*)"$', (HEADERS / "chainrule.hpp").read_text(), re.MULTILINE
    )
    assert included == [name for name in CPP if name != "chainrule.hpp"]


# What may stand right behind a header: errors can be caught with any of the usual ones.
USES = {
    f"{header}.hpp": f"""
        int caught_with_{header}();
        int caught_with_{header}() {{
          try {{
            return 0;
          }} catch (const chainrule::DivergenceError& error) {{
            return static_cast<int>(error.epoch);
          }} catch (const chainrule::Error& error) {{
            return error.what() == nullptr;
          }}
        }}
        """
    for header in ("layers", "trainer", "network", "model_file", "predictor")
}


@needs_gcc
@pytest.mark.parametrize("chain", chains(), ids="-".join)
def test_each_header_stands_alone(chain):
    """Those before a header are its own: they can give it nothing that it does not include."""
    source = "".join(f"#include <chainrule/{name}>\n{USES.get(name, '')}" for name in chain)
    done = compiled(source, "-std=c++20", "-Wall", "-Wextra", "-Wshadow", "-Werror")
    assert done.returncode == 0, done.stderr


def test_every_header_is_compiled_so():
    assert sorted(name for chain in chains() for name in chain) == CPP
    assert {*USES} <= {*CPP}


@needs_gcc
@pytest.mark.parametrize("standard", ["c++11", "c++17"])
@pytest.mark.parametrize("name", CPP)
def test_an_older_standard_is_one_error(name, standard):
    done = compiled(f"#include <chainrule/{name}>\nint main() {{}}\n", f"-std={standard}")
    errors = re.findall(r"\berror: (.*)", done.stderr)
    assert len(errors) == 2
    assert "chainrule needs C++20: compile with -std=c++20" in errors[0]
    # Behind it the compiler is stopped.
    assert "chainrule/needs-c++20" in errors[1]


@needs_gcc
@pytest.mark.parametrize(
    ("compiler", "language", "standard"),
    [("g++", "c++", "c++11"), ("g++", "c++", "c++20"), ("gcc", "c", "c11"), ("gcc", "c", "c17")],
)
def test_the_c_header_needs_no_more_than_c11(compiler, language, standard):
    done = compiled(
        "#include <chainrule/chainrule.h>\nint main(void) { return 0; }\n",
        f"-std={standard}", "-Wall", "-Wextra", "-pedantic", "-Werror",
        compiler=compiler, language=language,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@needs_gcc
@needs_cmake
def test_a_project_of_c_alone(tmp_path):
    example = (ROOT / "cpp/examples/c/CMakeLists.txt").read_text()
    assert "project(c LANGUAGES C)" in example
    shutil.copy(ROOT / "cpp/examples/c/main.c", tmp_path)
    (tmp_path / "CMakeLists.txt").write_text(example)
    found = subprocess.run(
        [sys.executable, "-m", "chainrule", "--cmakedir"],
        capture_output=True,
        text=True,
        check=True,
    )
    configure = ["cmake", "-S", tmp_path, "-B", tmp_path / "build", "-DCMAKE_BUILD_TYPE=Release"]
    configure.append(f"-Dchainrule_DIR={found.stdout.strip()}")
    for command in (configure, ["cmake", "--build", tmp_path / "build"], [tmp_path / "build/c"]):
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "new points are right" in done.stdout
    assert (tmp_path / "circles.safetensors").exists()


@needs_gcc
@needs_cmake
@pytest.mark.parametrize("languages", ["C", "C CXX"])
def test_sources_in_a_project_of_c(tmp_path, languages):
    (tmp_path / "main.c").write_text("int main(void) { return 0; }\n")
    (tmp_path / "CMakeLists.txt").write_text(
        f"cmake_minimum_required(VERSION 3.21)\nproject(c LANGUAGES {languages})\n"
        f'add_subdirectory("{ROOT}" chainrule)\nadd_executable(c main.c)\n'
        "target_link_libraries(c PRIVATE chainrule::chainrule)\n"
    )
    configure = ["cmake", "-S", tmp_path, "-B", tmp_path / "build"]
    done = subprocess.run(configure, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode == 0) == (languages == "C CXX"), done.stdout + done.stderr
    assert ("needs project(... LANGUAGES C CXX)" in " ".join(done.stderr.split())) == (
        languages == "C"
    )
