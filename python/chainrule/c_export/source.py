# SPDX-License-Identifier: Apache-2.0
"""The header and the C file of a network."""

from __future__ import annotations

from chainrule._core import __version__
from chainrule.c_export.functions import definitions, needs_math
from chainrule.c_export.literals import COLUMNS, array
from chainrule.c_export.operations import Operation
from chainrule.c_export.program import Model
from chainrule.losses.link import LINKS

__all__ = ["header", "source"]


def header(model: Model) -> str:
    """Return the text of the header."""
    name, upper = model.name, model.macro
    fields = [f"  {kind} {buffer}[{n}];" for buffer, (kind, n) in model.scratch.items()]
    kinds = {kind for kind, _ in model.scratch.values()}
    lines = [
        f"/* {name}: a neural network, {_widths(model)}. Written by chainrule {__version__}.",
        "",
        "   Nothing is allocated and nothing is kept between calls: calls at the same time need a",
        "   scratch each, and nothing else. */",
        f"#ifndef {upper}_H",
        f"#define {upper}_H",
        "",
        *(["#include <stdint.h>", ""] if "int8_t" in kinds else []),
        "#ifdef __cplusplus",
        'extern "C" {',
        "#endif",
        "",
        f"#define {upper}_INPUTS {model.inputs}",
        f"#define {upper}_OUTPUTS {model.outputs}",
        f"#define {upper}_SCRATCH_BYTES {model.scratch_bytes} /* sizeof({name}_scratch) */",
        "",
        "/* Memory for one call, static or on the stack. It needs no first value. */",
        f"typedef struct {name}_scratch {{",
        *(fields or ["  char unused[1];"]),
        f"}} {name}_scratch;",
        "",
        "/* Computes the outputs of the last layer.",
        "",
        f"   x        {upper}_INPUTS values as in the training data; the network scales them.",
        f"   y        {upper}_OUTPUTS values, written; may not overlap x.",
        "   scratch  any content. */",
        f"{_signature(model, 'predict')};",
    ]
    if model.link is not None:
        lines += [
            "",
            f"/* Computes {LINKS[model.link].meaning}; arguments as above. */",
            f"{_signature(model, 'predict_proba')};",
        ]
    lines += ["", "#ifdef __cplusplus", "}", "#endif", "", "#endif"]
    return "\n".join(lines) + "\n"


def source(model: Model) -> str:
    """Return the text of the C file."""
    operations, local, places = model.program.operations, model.local, model.places
    functions = [operation.function for operation in operations]
    body = [] if model.scratch else ["  (void)scratch;"]
    for operation in operations:
        passed = [_place(places[name]) for name in (*operation.read, operation.made)]
        # Constants have names that no other file sees.
        passed += [local * (each in operation.constants) + each for each in operation.arguments]
        call = f"{local}{operation.function}({', '.join(passed)});"
        body += _statement(call, _origin(operation))
    proba = []
    if model.link is not None:
        proba = [f"{_signature(model, 'predict_proba')} {{"]
        proba += [f"  {model.name}_predict(x, y, scratch);"]
        if not model.linked:
            functions.append(LINKS[model.link].c_function)
            proba += [f"  {local}{functions[-1]}(y, y, {model.outputs});"]
        proba += ["}"]
    texts = definitions(functions, local)
    listed = [f"   {index}  {layer}" for index, layer in enumerate(model.layers)]
    parts = [
        "\n".join(
            [f"/* {model.name}: {_widths(model)}. Layers of the network:", "", *listed, "*/"]
        ),
        "\n".join(
            [
                f'#include "{model.name}.h"',
                "",
                *(["#include <math.h>"] if needs_math("\n".join(texts)) else []),
                "#include <stddef.h>",
                "#include <stdint.h>",
            ]
        ),
        *(
            array(local + name, values, flat=True)
            for operation in operations
            for name, values in operation.constants.items()
        ),
        *texts,
        "\n".join([f"{_signature(model, 'predict')} {{", *body, "}"]),
        *(["\n".join(proba)] if proba else []),
    ]
    return "\n\n".join(parts) + "\n"


def _place(name: str) -> str:
    return name if name in ("x", "y") else f"scratch->{name}"


def _origin(operation: Operation) -> str:
    numbers = all(name.isdecimal() for name in operation.nodes)
    nodes = sorted(operation.nodes, key=int) if numbers else list(operation.nodes)
    return f"layer{'s' * (len(nodes) > 1)} {', '.join(nodes)}"


def _widths(model: Model) -> str:
    operations = model.program.operations
    dense = [operation.outputs for operation in operations if operation.name == "dense"]
    return " -> ".join(map(str, [model.inputs, *(dense or [model.outputs])]))


def _statement(text: str, comment: str) -> list[str]:
    line = f"  {text}  /* {comment} */"
    return [line] if len(line) <= COLUMNS else [f"  /* {comment} */", f"  {text}"]


def _signature(model: Model, function: str) -> str:
    name, upper = model.name, model.macro
    start = f"void {name}_{function}("
    parameters = [f"const float x[{upper}_INPUTS]", f"float y[{upper}_OUTPUTS]"]
    parameters += [f"{name}_scratch* scratch"]
    line = f"{start}{', '.join(parameters)})"
    if len(line) < COLUMNS - 1:
        return line
    return start + f",\n{' ' * len(start)}".join(parameters) + ")"
