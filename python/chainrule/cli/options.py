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
digits, mnist or fashion-mnist; or a FILE: .csv or .tsv, which may be .gz, with a label column, or
.npz with the arrays x and y; - is CSV or .npz from the standard input."""
_KEPT_BACK_HELP = " One fifth of digits and of a FILE, always the same rows, is kept to test on."


def add_train(parser: ArgumentParser) -> None:
    """Add the options of ``chainrule train``."""
    data = _add_data(parser, default="digits", more=_KEPT_BACK_HELP)
    data.add_argument(
        "--test-data",
        metavar="FILE",
        help="File of rows to test on, with the columns and classes of --data, all of whose rows "
        "are then trained on.",
    )
    data.add_argument(
        "--task",
        choices=("classification", "regression"),
        help="What whole numbers in the label column are. Default: classes if they are few and "
        "without gaps from 0 or 1, otherwise the numbers of a regression.",
    )
    data.add_argument(
        "--keep-case",
        action="store_true",
        help="Take labels that differ in case only for different classes.",
    )
    network = parser.add_argument_group("network")
    network.add_argument(
        "--layers",
        type=values.layer_sizes,
        metavar="UNITS",
        help="Units of the hidden layers, such as 512,256, or none. Default: 256,128.",
    )
    network.add_argument(
        "--activation",
        metavar="NAME",
        help="Activation of the hidden layers, such as gelu or tanh. Default: relu.",
    )
    network.add_argument(
        "--dropout",
        type=values.fraction,
        metavar="RATE",
        help="Share of each hidden layer's outputs to drop while training. Default: 0.0.",
    )
    training = parser.add_argument_group("training")
    training.add_argument(
        "--loss",
        metavar="NAME",
        help="Such as mae, huber or binary_cross_entropy; it also decides whether whole numbers "
        "are classes. Default: cross_entropy for classes, mse for numbers.",
    )
    training.add_argument(
        "--optimizer",
        metavar="NAME",
        help="Such as sgd, adamw or rmsprop. Default: adam.",
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
        help="Whether the learning rate falls to 0 along half a cosine or stays. Default: cosine.",
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
        metavar="SHARE",
        help="Share of the training rows to measure after each epoch instead. Default: 0.0, or "
        "0.1 with --early-stopping.",
    )
    training.add_argument(
        "--early-stopping",
        type=values.positive_integer,
        nargs="?",
        const=5,
        metavar="EPOCHS",
        help="Stop when the validation loss has not improved for this many epochs, 5 if it is not "
        "said, and keep the best weights.",
    )
    training.add_argument(
        "--class-weight",
        type=values.class_weights,
        metavar="WEIGHTS",
        help="What a row of each class counts: balanced, by which all classes count the same, or "
        "such as cat=2,dog=0.5.",
    )
    _add_metrics(training)
    training.add_argument(
        "--resume",
        metavar="MODEL",
        help="Go on with this model's layers, weights and state instead of a new network; what "
        "interrupted it may have left of its epochs is the default of --epochs.",
    )
    training.add_argument(
        "--seed",
        type=values.seed,
        metavar="N",
        help="Decides initial weights, order of rows and dropout. Default: 0.",
    )
    _add_threads(training)
    output = parser.add_argument_group("output")
    output.add_argument(
        "--output",
        "-o",
        metavar="MODEL",
        help="Model file to write or replace. Default: the data's name and .safetensors, here; "
        "with --resume that model.",
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
    _add_metrics(parser)
    _add_threads(parser)


def add_predict(parser: ArgumentParser) -> None:
    """Add the options of ``chainrule predict``."""
    add_model(parser)
    parser.add_argument(
        "input",
        metavar="INPUT",
        help="File of rows: .csv or .tsv, which may be .gz, or .npy; - is the standard input.",
    )
    parser.add_argument(
        "--output", "-o", metavar="FILE", help="CSV file to write. Default: -, standard output."
    )
    _add_overwrite(parser)
    parser.add_argument(
        "--numbers",
        action="store_true",
        help="Write the classes' numbers, from 0, instead of their names.",
    )
    parser.add_argument(
        "--labels-only",
        action="store_true",
        help="Write a classifier's labels without probabilities.",
    )
    _add_table(
        parser,
        "Label column of a CSV file, which is left out: a name, an index, first or last. Default: "
        "the one that the model was trained on, if the file has it.",
    )
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
        "model",
        nargs="?",
        metavar="MODEL",
        help="Model file, of which predictions of made-up rows are measured. Default: the network "
        "that train makes for --data, of which training is measured too.",
    )
    parser.add_argument(
        "--data",
        metavar="NAME",
        help="What to train on: digits, mnist or fashion-mnist. Default: digits, which come along.",
    )
    parser.add_argument(
        "--batch-size",
        type=values.positive_integer,
        metavar="ROWS",
        help="Rows of one step of training. Default: 128.",
    )
    parser.add_argument(
        "--quick", action="store_true", help="Shorter and fewer timings, for a first impression."
    )
    parser.add_argument("--json", metavar="FILE", help="Write every measurement to this file too.")
    _add_overwrite(parser)
    _add_threads(parser, "Threads to use. Default: once 1, once one per core.")


def add_model(parser: ArgumentParser) -> None:
    """Add the model file, all that ``chainrule inspect`` takes."""
    parser.add_argument("model", metavar="MODEL", help="Model file that train has written.")


def _add_data(
    parser: ArgumentParser, default: str | None, *, required: bool = True, more: str = ""
) -> Any:
    data = parser.add_argument_group("data")
    data.add_argument(
        "--data",
        default=default,
        required=required and default is None,
        metavar="DATA",
        help=_DATA_HELP + more + (" Default: %(default)s." if default else ""),
    )
    _add_table(
        data,
        "Label column of a CSV file: a name, an index from 0, first or last. Default: the one that "
        "the model was trained on, otherwise last.",
    )
    return data


def _add_table(parser: Any, label_help: str) -> None:
    parser.add_argument("--label", type=values.column, metavar="COLUMN", help=label_help)
    parser.add_argument(
        "--header",
        choices=("auto", "yes", "no"),
        default="auto",
        help="Whether a CSV file's first line holds names. Default: %(default)s, which looks.",
    )
    parser.add_argument(
        "--delimiter",
        type=values.delimiter,
        metavar="CHARACTER",
        help="What separates the fields of a CSV file, also tab, comma, semicolon, space or pipe. "
        "Default: what its first lines speak for.",
    )
    parser.add_argument(
        "--decimal",
        type=values.separator,
        default=".",
        metavar="CHARACTER",
        help="Decimal point of numbers, such as , in 1,5. Default: a full stop.",
    )
    parser.add_argument(
        "--thousands",
        type=values.separator,
        metavar="CHARACTER",
        help="What groups the digits of numbers, such as , in 97,234.00. Default: nothing.",
    )
    parser.add_argument(
        "--drop",
        type=values.columns,
        action="extend",
        default=[],
        metavar="COLUMNS",
        help="Columns to leave out, by name or index and separated by commas; may be given more "
        "than once.",
    )


def _add_metrics(parser: Any) -> None:
    parser.add_argument(
        "--metrics",
        type=values.names,
        metavar="NAMES",
        help="What to measure, separated by commas, such as accuracy,f1 or mae. Default: what is "
        "customary for the loss.",
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
