# SPDX-License-Identifier: Apache-2.0
"""From a network to its C files."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.atomic_file import write_atomically
from chainrule.c_export import self_test
from chainrule.c_export.literals import check_name
from chainrule.c_export.lowering import lower
from chainrule.c_export.operations import Array
from chainrule.c_export.program import Model, Program
from chainrule.c_export.quantization import quantized
from chainrule.c_export.source import header, source
from chainrule.inputs.arrays import as_features
from chainrule.interop.nodes import built_core, predictions
from chainrule.losses.link import LINKS
from chainrule.names import unknown_name
from chainrule.network import measuring
from chainrule.network.output_losses import OutputLosses
from chainrule.network.progress import format_value
from chainrule.network.training_data import prepare_validation

if TYPE_CHECKING:
    from chainrule.network.network import Network

__all__ = ["CExport", "export_c"]

_DTYPES = ("float32", "int8")
_TOLERANCE = 1e-5
# Of the header, the source and the self-test: by them an export knows what it may replace.
_FIRST_LINES = (
    r"/\* {name}: a neural network, .*chainrule",
    r"/\* {name}: .*Layers of the network",
    r"/\* Compares {name} with what chainrule",
)
_LONGEST_LINE = 65536


@dataclass(frozen=True)
class CExport:
    """What an export has written; prints as a short report.

    Attributes
    ----------
    files : tuple of Path
        Header, source and self-test.
    weight_bytes : int
        Size of the constants.
    scratch_bytes : int
        Size of the memory that a call needs beside its stack frame; with `streaming` of the state.
    largest_difference : float
        From `Network.predict`, over the test vectors, relative to a row's largest output where
        that exceeds 1. It is that of the same arithmetic in NumPy, and the self-test's is that of
        the compiled code.
    in_float : tuple of str
        The operations of an int8 export that are not int8.
    before, after : dict
        Loss and metrics of the network and of the C code on `validation_data`; empty without.
    """

    files: tuple[Path, ...]
    weight_bytes: int
    scratch_bytes: int
    largest_difference: float
    in_float: tuple[str, ...] = ()
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the report."""
        lines = [
            ("files", ", ".join(map(str, self.files))),
            ("constants", f"{self.weight_bytes:,} bytes"),
            ("scratch", f"{self.scratch_bytes:,} bytes"),
            ("difference", f"{self.largest_difference:.1e} from predict"),
        ]
        for name, value in self.before.items():
            after = self.after[name]
            lines.append((name, f"{format_value(value)} before, {format_value(after)} after"))
        if self.in_float:
            lines.append(("in float", ", ".join(self.in_float)))
        return "\n".join(f"{name:<10} {text}" for name, text in lines)


def export_c(
    net: Network,
    directory: str | os.PathLike[str],
    *,
    name: str = "model",
    dtype: str = "float32",
    calibration: object = None,
    validation_data: Sequence[object] | None = None,
    test_rows: object = None,
    streaming: bool = False,
    overwrite: bool = False,
) -> CExport:
    """Write C99 that predicts without a heap: NAME.h, NAME.c and the self-test NAME_test.c.

    Parameters
    ----------
    net : Network
        A built network.
    directory : path-like
        Where to write; created if missing. Files of an earlier export of the same name are
        replaced.
    name : str, default "model"
        First part of the names of files, functions and macros. No two names share any of them,
        so that several exports may be compiled together.
    dtype : {"float32", "int8"}, default "float32"
        Of the dense layers' weights and arithmetic. What lies between them and is no relu, and
        outputs, are floats in either case.
    calibration : array_like of shape (rows, inputs), or list or mapping of several, optional
        Rows from which int8 takes its scales, layer by layer, without the largest and smallest
        0.01 % of the values; needed for int8.
    validation_data : (x, y) or (x, y, sample_weight), optional
        Where to compare loss and metrics before and after, of a network of one input.
    test_rows : array_like of shape (rows, inputs), or list or mapping of several, optional
        The first 8 become the self-test's vectors. Default: those of `calibration`, else random
        numbers.
    streaming : bool, default False
        Whether the code goes through sequences frame by frame: NAME_step takes the next frame of
        inputs of shape (time, features), or the next token in front of an `Embedding` and a
        `Reshape`, and gives what `predict` gives at its position, behind a recurrent layer without
        `return_sequences` what it gives for a sequence that ends there. A NAME_state keeps what
        later frames need; NAME_reset begins a sequence, of any length. No
        layer may need later frames or several at once: `Conv1D` and `DepthwiseConv1D` have strides
        of 1 and padding "causal", recurrent layers go forward. Of float32 alone, without
        probabilities.
    overwrite : bool, default False
        Whether files that are no earlier export of this name may be replaced too.

    Returns
    -------
    CExport
        Files, sizes, the largest difference, metrics before and after; prints as a report.

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit or the network has no form in C; the text lists all reasons,
        and nothing is written.
    FileExistsError
        If one of the files exists and is something else; nothing is written.
    RuntimeError
        If the number of inputs is not known yet.

    Examples
    --------
    >>> import chainrule as cr
    >>> import tempfile
    >>> net = cr.Sequential([cr.Input(2), cr.Dense(3, activation="relu"), cr.Dense(1)], seed=0)
    >>> result = cr.export_c(net, tempfile.mkdtemp(), name="small")
    >>> [path.name for path in result.files], result.weight_bytes
    (['small.h', 'small.c', 'small_test.c'], 52)
    """
    built_core(net)
    check_name(name)
    if dtype not in _DTYPES:
        raise ValueError(unknown_name("dtype", dtype, _DTYPES))
    if dtype == "int8" and calibration is None:
        raise ValueError("calibration: int8 needs rows of data to choose its scales from")
    if streaming and dtype != "float32":
        raise ValueError(f"streaming: needs dtype 'float32', got {dtype!r}")
    folder = Path(directory)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    plain = lower(net, into_weights=False)
    data = None if calibration is None else _rows(net, plain, calibration, "calibration")
    given = data if test_rows is None else _rows(net, plain, test_rows, "test_rows")
    if data is not None and dtype == "int8":
        program, in_float = quantized(plain, data)
    else:
        program, in_float = lower(net, into_weights=True), []
    model = written = _model(net, name, program)
    if streaming:
        model = replace(model, link=None)
        steps = lower(net, into_weights=True, streaming=True)
        written = replace(model, program=steps, streaming=True)
    compared = [value.columns for value in written.outputs]
    vectors, largest = _vectors(net, model, self_test.inputs_for(plain, given), dtype, compared)
    before, after = _compared(net, model, validation_data)

    texts = (header(written), source(written), self_test.self_test(written, vectors))
    files = tuple(folder / file for file in exported_files(name))
    if not overwrite:
        _check_earlier(files, name)
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in zip(files, texts, strict=True):
        write_atomically(file, text.encode())
    return CExport(
        files,
        written.weight_bytes,
        written.scratch_bytes,
        largest,
        tuple(in_float),
        before,
        after,
    )


def exported_files(name: str) -> tuple[str, str, str]:
    """Return the names of the header, the source and the self-test.

    Examples
    --------
    >>> exported_files("gear")
    ('gear.h', 'gear.c', 'gear_test.c')
    """
    return f"{name}.h", f"{name}.c", f"{name}_test.c"


def _check_earlier(files: Sequence[Path], name: str) -> None:
    """Raise FileExistsError unless those files that exist are an earlier export of this name."""
    for file, first_line in zip(files, _FIRST_LINES, strict=True):
        try:
            with file.open("rb") as opened:
                beginning = opened.read(_LONGEST_LINE)
        except FileNotFoundError:
            continue
        # An empty file holds nothing to lose.
        if beginning and not re.match(first_line.format(name=name).encode(), beginning):
            raise FileExistsError(
                errno.EEXIST, "exists and is no earlier export of this name", str(file)
            )


def _rows(net: Network, program: Program, x: object, argument: str) -> dict[str, Array]:
    """Return rows of the inputs by name; an error names the argument that they were given for."""
    names = [*program.inputs]
    try:
        if len(names) == 1:
            return {names[0]: net._features(x)}
        if isinstance(x, list | tuple) and len(x) == len(names):
            x = dict(zip(names, x, strict=True))
        if not isinstance(x, Mapping) or {*x} != {*names}:
            given = f"the keys {[*x]}" if isinstance(x, Mapping) else type(x).__name__
            raise TypeError(f"expected a list or a mapping of {', '.join(names)}, got {given}")
        return {name: as_features(x[name], name=name) for name in names}
    except (TypeError, ValueError) as error:
        raise type(error)(f"{argument}: {error}") from error


def _model(net: Network, name: str, program: Program) -> Model:
    loss = net.loss if len(program.outputs) == 1 else None  # each of several has a link of its own
    link = None if loss is None or loss._core.link not in LINKS else str(loss._core.link)
    own = loss is not None and not loss.from_logits and net._ends_with(link)
    return Model(name, tuple(repr(layer) for layer in net.layers), program, link, own)


def _vectors(
    net: Network, model: Model, x: dict[str, Array], dtype: str, columns: Sequence[int]
) -> tuple[self_test.Vectors, float]:
    """Return the test's vectors, and how far outputs are from them, `columns` at a time."""
    rows = list(x.values())
    _check_rows([_with_missing(net, place, each) for place, each in enumerate(rows)], "values of")
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = [_flat(each) for each in predictions(net, rows)]
        exported = model.program.run(x)
    _check_rows(outputs, "network's outputs for")
    _check_rows(exported, "C code's outputs for")
    largest = max(
        self_test.difference(found.reshape(-1, n), expected.reshape(-1, n))
        for found, expected, n in zip(exported, outputs, columns, strict=True)
    )
    # Compilers may round an input to another integer than NumPy, or sum in another order.
    in_int8 = 1.25 * largest + _TOLERANCE
    tolerance = in_int8 if dtype == "int8" else max(_TOLERANCE, 2 * largest)
    probabilities = None
    if model.link is not None:
        made = predictions(net, rows, probabilities=True)
        probabilities = [*map(_flat, made)]
        _check_rows(probabilities, "network's probabilities for")
    return self_test.Vectors(x, outputs, probabilities, tolerance), largest


def _with_missing(net: Network, place: int, rows: Array) -> Array:
    """Return rows of an input with 0 in the place of numbers that may be missing."""
    allowed = net._built_core().missing_columns(place)
    return np.where(np.isnan(rows) & np.array(allowed or [False]), 0.0, rows)


def _flat(rows: Array) -> Array:
    return rows.astype(np.float32).reshape(len(rows), -1)


def _check_rows(arrays: Sequence[Array], what: str) -> None:
    for values in arrays:
        finite = np.isfinite(values).all(axis=1)
        if not finite.all():
            raise ValueError(
                f"test_rows: the {what} row {int(np.argmin(finite))} are not finite numbers of "
                "float32"
            )


def _compared(
    net: Network, model: Model, validation_data: Sequence[object] | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return loss and metrics of the network and of the C code."""
    if validation_data is None:
        return {}, {}
    if len(model.program.inputs) > 1:
        raise ValueError("validation_data: the network has several inputs")
    loss = net._chosen_loss(None)
    data = prepare_validation(net, validation_data, loss)
    places = range(len(loss.losses)) if isinstance(loss, OutputLosses) else ()
    parts = [data.output(place) for place in places] or [data]
    if not isinstance(data.x, np.ndarray):
        raise TypeError("validation_data: x is sparse; pass the dense array")
    if not all(isinstance(part.y, np.ndarray) for part in parts):
        raise TypeError("validation_data: y is sparse; pass the dense array")
    metrics = measuring.metrics_for(loss, net.outputs, None, data.y)
    made = np.hstack(model.program.run(_rows(net, model.program, data.x, "validation_data")))
    after = measuring.measure_predictions(net, loss, data, metrics, made)
    return net.evaluate(*validation_data, loss=loss, metrics=metrics), after
