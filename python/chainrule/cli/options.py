# SPDX-License-Identifier: Apache-2.0
"""The options of each command.

Names of losses, optimizers and activations are checked where they are used, so that one place knows
them.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from chainrule.cli import values

_DATA_HELP = """\
digits, mnist or fashion-mnist; or a FILE: .csv or .csv.gz with a label column, or .npz with the
arrays x and y. One fifth of digits and of a FILE, always the same rows, is kept for testing."""


def add_train(parser: ArgumentParser) -> None:
    """Add the options of ``chainrule train``."""
    _add_data(parser, default="digits")
    network = parser.add_argument_group("network")
    network.add_argument(
        "--layers",
        type=values.layer_sizes,
        default="256,128",
        metavar="UNITS",
        help="Units of the hidden layers, such as 512,256, or none. Default: %(default)s.",
    )
    network.add_argument(
        "--activation",
        default="relu",
        metavar="NAME",
        help="Activation of the hidden layers, such as gelu or tanh. Default: %(default)s.",
    )
    network.add_argument(
        "--dropout",
        type=values.fraction,
        default=0.0,
        metavar="RATE",
        help="Share of each hidden layer's outputs to drop while training. Default: %(default)s.",
    )
    training = parser.add_argument_group("training")
    training.add_argument(
        "--loss",
        metavar="NAME",
        help="Default: cross_entropy for classes, mse for numbers.",
    )
    training.add_argument(
        "--optimizer",
        default="adam",
        metavar="NAME",
        help="Such as sgd, adamw or rmsprop. Default: %(default)s.",
    )
    training.add_argument(
        "--learning-rate",
        type=values.positive_number,
        metavar="RATE",
        help="Default: the optimizer's own, 0.001 for adam.",
    )
    training.add_argument(
        "--schedule",
        choices=("cosine", "constant"),
        default="cosine",
        help="Whether the learning rate falls to 0 along half a cosine or stays. "
        "Default: %(default)s.",
    )
    training.add_argument(
        "--epochs",
        type=values.positive_integer,
        metavar="N",
        help="Passes over the training rows. Default: 10, rising to 50 for few rows.",
    )
    training.add_argument(
        "--batch-size",
        type=values.positive_integer,
        default=32,
        metavar="ROWS",
        help="Rows of one step. Default: %(default)s.",
    )
    training.add_argument(
        "--validation-split",
        type=values.fraction,
        default=0.0,
        metavar="SHARE",
        help="Share of the training rows to measure after each epoch instead. "
        "Default: %(default)s.",
    )
    training.add_argument(
        "--seed",
        type=values.seed,
        default=0,
        metavar="N",
        help="Decides initial weights, order of rows and dropout. Default: %(default)s.",
    )
    _add_threads(training)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--output",
        "-o",
        metavar="MODEL",
        help="Model file to write or replace. Default: the data's name and .safetensors, here.",
    )
    _add_overwrite(output)
    output.add_argument(
        "--plot",
        metavar="FILE",
        help="Draw the loss and the metrics over the epochs, such as to curves.png.",
    )
    loudness = output.add_mutually_exclusive_group()
    loudness.add_argument("--verbose", "-v", action="store_true", help="Print the layers too.")
    loudness.add_argument(
        "--quiet", "-q", action="store_true", help="Print the test result and the files alone."
    )


def add_evaluate(parser: ArgumentParser) -> None:
    """Add the options of ``chainrule evaluate``."""
    add_model(parser)
    _add_data(parser, default=None)
    parser.add_argument(
        "--part",
        choices=("train", "test", "all"),
        help="Rows to take: those that train learns from, those it tests on, or all. Default: test "
        "for digits, mnist and fashion-mnist, all for a FILE.",
    )
    _add_threads(parser)


def add_predict(parser: ArgumentParser) -> None:
    """Add the options of ``chainrule predict``."""
    add_model(parser)
    parser.add_argument("input", metavar="INPUT", help="File of rows: .csv, .csv.gz or .npy.")
    parser.add_argument(
        "--output", "-o", metavar="FILE", help="CSV file to write. Default: standard output."
    )
    _add_overwrite(parser)
    _add_header(parser)
    _add_threads(parser)


def add_export_c(parser: ArgumentParser) -> None:
    """Add the options of ``chainrule export-c``."""
    add_model(parser)
    parser.add_argument(
        "--out", required=True, metavar="DIR", help="Folder to write to; created if missing."
    )
    parser.add_argument(
        "--dtype",
        choices=("float", "int8"),
        default="float",
        help="Of weights and arithmetic; int8 needs --data. Default: %(default)s.",
    )
    parser.add_argument(
        "--name", metavar="NAME", help="C identifier. Default: the model file's name."
    )
    _add_overwrite(parser)
    _add_data(
        parser,
        default=None,
        required=False,
        more=" The training rows set int8's scales and the test rows measure its accuracy; a .npy "
        "file of rows sets the scales alone.",
    )


def add_export_onnx(parser: ArgumentParser) -> None:
    """Add the options of ``chainrule export-onnx``."""
    add_model(parser)
    parser.add_argument("onnx", metavar="ONNX", help="File to write or replace.")
    parser.add_argument(
        "--opset",
        type=values.positive_integer,
        default=17,
        metavar="N",
        help="Version of the operators, 13 to 23. Default: %(default)s.",
    )
    parser.add_argument(
        "--output",
        choices=("raw", "probabilities"),
        default="raw",
        help="What the file computes: raw outputs, or probabilities by the loss's link. "
        "Default: %(default)s.",
    )
    parser.add_argument(
        "--input-dtype",
        choices=("float32", "float64", "uint8"),
        help="Type of the input. Default: the model's.",
    )
    parser.add_argument(
        "--no-check", action="store_true", help="Do not compare onnxruntime's predictions."
    )
    _add_overwrite(parser)


def add_import_onnx(parser: ArgumentParser) -> None:
    """Add the options of ``chainrule import-onnx``."""
    parser.add_argument("onnx", metavar="ONNX", help="File to read.")
    parser.add_argument("model", metavar="MODEL", help="Model file to write or replace.")
    parser.add_argument(
        "--output",
        metavar="NAME",
        help="Output of the graph to take. Default: the only one of floating-point numbers.",
    )
    _add_overwrite(parser)


def add_bench(parser: ArgumentParser) -> None:
    """Add the options of ``chainrule bench``."""
    parser.add_argument(
        "--quick", action="store_true", help="Fewer rows and rounds, for a first impression."
    )
    parser.add_argument("--json", metavar="FILE", help="Write every measurement to this file too.")
    _add_overwrite(parser)
    _add_threads(
        parser,
        "Threads that each library may use. Default: 1 and one per core, of which the better "
        "counts; one per core with --quick.",
    )


def add_model(parser: ArgumentParser) -> None:
    """Add the model file, all that ``chainrule inspect`` takes."""
    parser.add_argument("model", metavar="MODEL", help="Model file that train has written.")


def _add_data(
    parser: ArgumentParser, default: str | None, *, required: bool = True, more: str = ""
) -> None:
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data",
        default=default,
        required=required and default is None,
        metavar="DATA",
        help=_DATA_HELP + more + (" Default: %(default)s." if default else ""),
    )
    data.add_argument(
        "--label",
        type=values.label_column,
        metavar="COLUMN",
        help="Label column of a CSV file: a name, an index from 0, first or last. Default: last.",
    )
    _add_header(data)


def _add_header(parser: Any) -> None:
    parser.add_argument(
        "--header",
        choices=("auto", "yes", "no"),
        default="auto",
        help="Whether a CSV file's first line holds names. Default: %(default)s, which looks.",
    )


def _add_overwrite(parser: Any) -> None:
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="Replace the file to write even if it is of another kind than what is written.",
    )


def _add_threads(
    parser: Any, text: str = "Threads to use, which changes no result. Default: one per core."
) -> None:
    parser.add_argument("--threads", type=values.positive_integer, metavar="N", help=text)
