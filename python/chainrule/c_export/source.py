# SPDX-License-Identifier: Apache-2.0
"""The header and the C file of a network."""

from __future__ import annotations

import textwrap

from chainrule._core import __version__
from chainrule.c_export.functions import called, definitions, needs_math, prefixed
from chainrule.c_export.literals import COLUMNS, array, template
from chainrule.c_export.operations import Operation
from chainrule.c_export.program import Model
from chainrule.losses.link import LINKS

__all__ = ["header", "source"]


def header(model: Model) -> str:
    """Return the text of the header."""
    fields = [f"  {kind} {buffer}[{n}];" for buffer, (kind, n) in model.scratch.items()]
    in_integers = any(kind != "float" for kind, _ in model.scratch.values())
    values = [*model.inputs, *model.outputs]
    read = "values as in the training data; the network scales them."
    names = ", ".join(value.name for value in model.inputs)
    written = f"values, written; may not overlap {names}."
    proba = ""
    if model.link is not None:
        meaning = LINKS[model.link].meaning
        proba = f"\n/* Computes {meaning}; arguments as above. */\n"
        proba += f"{_signature(model, 'predict_proba')};\n"
    return template("header_of_steps.h" if model.streaming else "header.h").substitute(
        name=model.name,
        macro=model.macro,
        version=__version__,
        widths=_widths(model),
        includes="#include <stdint.h>\n\n" if in_integers else "",
        sizes="\n".join(f"#define {value.size} {value.columns}" for value in values),
        scratch_bytes=model.scratch_bytes,
        fields="\n".join(fields or ["  char unused[1];"]),
        arguments="\n".join(
            f"   {value.name:<7}  {value.size} {read if value in model.inputs else written}"
            for value in values
        ),
        call=_signature(model, _function(model)),
        predict_proba=proba,
    )


def source(model: Model) -> str:
    """Return the text of the C file."""
    operations, local, buffers = model.program.operations, model.local, model.buffers
    shared = model.constants
    functions: list[str] = []
    memory = model.memory
    body = [] if model.scratch else [f"  (void){memory};"]
    for operation in operations:
        places = [_place(buffers[name], memory) for name in (*operation.read, operation.made)]
        # Constants have names that no other file sees.
        passed = [local + shared[each] if each in shared else each for each in operation.arguments]
        lines = operation.statements(places, passed, memory)
        functions += called("\n".join(lines))
        body += _commented([prefixed(line, local) for line in lines], _origin(operation))
    proba, reset = [], []
    if model.streaming:
        floats = [name for name, (kind, _) in model.kept.items() if kind == "float"]
        functions += ["zeros"] * bool(floats)
        reset = [f"void {model.name}_reset({model.name}_state* state) {{"]
        reset += [] if model.kept else ["  (void)state;"]
        for name, (_, length) in model.kept.items():
            zeros = f"{local}zeros(state->{name}, {length});"
            reset += [f"  {zeros if name in floats else f'state->{name}[0] = 0;'}"]
        reset += ["}"]
    if model.link is not None:
        ((y, _, columns),) = model.outputs
        names = ", ".join(value.name for value in (*model.inputs, *model.outputs))
        proba = [f"{_signature(model, 'predict_proba')} {{"]
        proba += [f"  {model.name}_predict({names}, scratch);"]
        if not model.linked:
            functions.append(LINKS[model.link].c_function)
            proba += [f"  {local}{functions[-1]}({y}, {y}, {columns});"]
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
        *(array(local + name, values, flat=True) for name, values in model.arrays.items()),
        *texts,
        *(["\n".join(reset)] if reset else []),
        "\n".join([f"{_signature(model, _function(model))} {{", *body, "}"]),
        *(["\n".join(proba)] if proba else []),
    ]
    return "\n\n".join(parts) + "\n"


def _place(name: str, memory: str) -> str:
    return name if name[0] in "xy" else f"{memory}->{name}"


def _function(model: Model) -> str:
    return "step" if model.streaming else "predict"


def _origin(operation: Operation) -> str:
    numbers = all(name.isdecimal() for name in operation.nodes)
    nodes = sorted(operation.nodes, key=int) if numbers else list(operation.nodes)
    return f"layer{'s' * (len(nodes) > 1)} {', '.join(nodes)}"


def _widths(model: Model) -> str:
    operations = model.program.operations
    dense = [str(operation.outputs) for operation in operations if operation.name == "dense"]
    first, last = (
        ", ".join(str(value.columns) for value in values)
        for values in (model.inputs, model.outputs)
    )
    return " -> ".join([first, *(dense or [last])])


def _commented(statements: list[str], comment: str) -> list[str]:
    line = f"  {statements[0]}  /* {comment} */"
    if len(statements) == 1 and len(line) <= COLUMNS:
        return [line]
    return [f"  /* {comment} */", *(line for each in statements for line in _lines(f"  {each}"))]


def _lines(statement: str) -> list[str]:
    """Return a statement with a margin, as lines whose arguments stand below each other."""
    if len(statement) <= COLUMNS:
        return [statement]
    margin = " " * (statement.index("(") + 1)
    return textwrap.wrap(
        statement, COLUMNS, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
    )


def _signature(model: Model, function: str) -> str:
    start = f"void {model.name}_{function}("
    parameters = [f"const float {value.name}[{value.size}]" for value in model.inputs]
    parameters += [f"float {value.name}[{value.size}]" for value in model.outputs]
    memory = f"{model.name}_{model.memory}* {model.memory}"
    parameters = [memory, *parameters] if model.streaming else [*parameters, memory]
    line = f"{start}{', '.join(parameters)})"
    if len(line) < COLUMNS - 1:
        return line
    return start + f",\n{' ' * len(start)}".join(parameters) + ")"
