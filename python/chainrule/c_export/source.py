# SPDX-License-Identifier: Apache-2.0
"""The header and the C file of a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

from chainrule._core import __version__
from chainrule.c_export.functions import definitions, needs_math
from chainrule.c_export.literals import COLUMNS, array, number
from chainrule.c_export.model import Model
from chainrule.c_export.operations import (
    Activation,
    Affine,
    Array,
    Copy,
    Dense,
    LayerNormalization,
    Operation,
    PReLU,
)
from chainrule.c_export.quantization import Dense8, Dense8Float, Quantize
from chainrule.losses.link import LINKS

__all__ = ["header", "source"]


def header(model: Model) -> str:
    """Return the text of the header.

    Parameters
    ----------
    model : Model

    Returns
    -------
    str
    """
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
    """Return the text of the C file.

    Parameters
    ----------
    model : Model

    Returns
    -------
    str
    """
    calls = [_call(operation) for operation in model.operations]
    functions = [call.function for call in calls]
    local = model.local
    body = []
    for operation, call, (read, written) in zip(model.operations, calls, model.places, strict=True):
        arrays = {name: local + name for name, _ in call.arrays}
        given = [arrays.get(argument, argument) for argument in call.arguments]
        arguments = ", ".join([_place(read), _place(written), *given])
        body += _statement(f"{local}{call.function}({arguments});", _origin(operation))
    if not model.scratch:
        body.insert(0, "  (void)scratch;")
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
        *(array(local + name, values, flat=True) for call in calls for name, values in call.arrays),
        *texts,
        "\n".join([f"{_signature(model, 'predict')} {{", *body, "}"]),
        *(["\n".join(proba)] if proba else []),
    ]
    return "\n\n".join(parts) + "\n"


@dataclass(frozen=True)
class _Call:
    """A call without its first two arguments, with the arrays that it needs."""

    function: str
    arguments: tuple[str, ...]
    arrays: tuple[tuple[str, Array], ...] = ()


@singledispatch
def _call(operation: Operation) -> _Call:
    raise NotImplementedError(type(operation).__name__)


@_call.register
def _(operation: Copy) -> _Call:
    return _Call("copy", (str(operation.inputs),))


@_call.register
def _(operation: Affine) -> _Call:
    return _scaling(operation, "rescale", "affine", "")


@_call.register
def _(operation: Quantize) -> _Call:
    return _scaling(operation, "quantize", "quantize_features", "input_")


def _scaling(operation: Affine, uniform: str, by_feature: str, prefix: str) -> _Call:
    columns = str(operation.inputs)
    if operation.uniform:
        scale, shift = number(operation.scale[0]), number(operation.shift[0])
        return _Call(uniform, (columns, scale, shift))
    names = (f"{prefix}scale_{operation.layer}", f"{prefix}shift_{operation.layer}")
    arrays = tuple(zip(names, operation.constants, strict=True))
    return _Call(by_feature, (columns, *names), arrays)


@_call.register
def _(operation: Dense) -> _Call:
    return _dense(operation, "dense", ("weight", "bias"))


@_call.register
def _(operation: Dense8) -> _Call:
    names = ("weight", "bias", "multiplier", "shift")
    return _dense(operation, "dense_int8", names, str(operation.zero_point))


@_call.register
def _(operation: Dense8Float) -> _Call:
    return _dense(operation, "dense_int8_float", ("weight", "bias", "scale"))


def _dense(operation: Operation, function: str, kinds: Sequence[str], *more: str) -> _Call:
    names = [f"{kind}_{operation.layer}" for kind in kinds]
    weight, *others = operation.constants
    # A row for each output, so that the sums read one value after the other.
    arrays = tuple(zip(names, [weight.T, *others], strict=True))
    return _Call(function, (str(operation.inputs), str(operation.outputs), *names, *more), arrays)


@_call.register
def _(operation: Activation) -> _Call:
    activation = operation.activation
    numbers = map(number, activation.c_arguments)
    return _Call(activation.c_function, (str(operation.inputs), *numbers))


@_call.register
def _(operation: PReLU) -> _Call:
    name = f"slope_{operation.layer}"
    return _Call("prelu", (str(operation.inputs), name), ((name, operation.slope),))


@_call.register
def _(operation: LayerNormalization) -> _Call:
    names = (f"gamma_{operation.layer}", f"beta_{operation.layer}")
    arrays = tuple(zip(names, operation.constants, strict=True))
    arguments = (str(operation.inputs), *names, number(operation.epsilon))
    return _Call("layer_normalization", arguments, arrays)


def _place(name: str) -> str:
    return name if name in ("x", "y") else f"scratch->{name}"


def _origin(operation: Operation) -> str:
    layers = sorted((operation.layer, *operation.merged))
    return f"layer{'s' * (len(layers) > 1)} {', '.join(map(str, layers))}"


def _widths(model: Model) -> str:
    dense = [operation.outputs for operation in model.operations if operation.name == "dense"]
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
