# SPDX-License-Identifier: Apache-2.0
"""The options of each command, as tables of the arguments of `add_argument`.

Names of losses, optimizers and activations are checked where they are used, so that one place knows
them.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from chainrule.cli import values

Options = Mapping[str, Mapping[str, Any]]
"""The arguments of ``add_argument``, by the names of the option with spaces between."""


def _choice(*choices: str, help: str, default: str | None = None) -> dict[str, Any]:
    return {"choices": choices, "help": help, "default": default}


def _flag(help: str) -> dict[str, Any]:
    return {"action": "store_true", "help": help}


def _value(metavar: str, help: str, type: Any = str, **more: Any) -> dict[str, Any]:
    return {"metavar": metavar, "help": help, "type": type, **more}


# fmt: off
_MODEL: Options = {"model": _value("MODEL", "Model file that train has written.")}
_DATA_HELP = (
    "digits, mnist or fashion-mnist; or a FILE: .csv or .tsv, which may be .gz, or .parquet, with "
    "a label column, or .npz with the arrays x and y; - is one of these from the standard input."
)
_DATA: Options = {"--data": _value("DATA", _DATA_HELP, required=True)}
_TABLE: Options = {
    "--label": _value("COLUMN",
        "Label column of a CSV file: a name, an index from 0, first or last; of a model of several "
        "targets their columns in its order, separated by commas. Default: what the model was "
        "trained on, otherwise last.", values.column),
    "--header": _choice("auto", "yes", "no", default="auto", help=
        "Whether a CSV file's first line holds names. Default: %(default)s, which looks."),
    "--delimiter": _value("CHARACTER",
        "What separates the fields of a CSV file, also tab, comma, semicolon, space or pipe. "
        "Default: what its first lines speak for.", values.delimiter),
    "--decimal": _value("CHARACTER",
        "Decimal point of numbers, such as , in 1,5. Default: a full stop.",
        values.separator, default="."),
    "--thousands": _value("CHARACTER",
        "What groups the digits of numbers, such as , in 97,234.00. Default: nothing.",
        values.separator),
    "--drop": _value("COLUMNS",
        "Columns to leave out, by name or index and separated by commas; may be given more than "
        "once.", values.columns, action="extend", default=[]),
}
_METRICS: Options = {
    "--metrics": _value("NAMES",
        "What to measure, separated by commas, such as accuracy,f1 or mae. Default: what is "
        "customary for the loss.", values.names),
}
_OVERWRITE: Options = {
    "--overwrite": _flag(
        "Replace the file to write even if it is of another kind than what is written."),
}
_THREADS: Options = {
    "--threads": _value("N",
        "Threads to use, which changes no result. Default: one per core.", values.positive_integer),
}

_TRAIN: Mapping[str, Options] = {
    "data": {
        "--data": _value("DATA", f"{_DATA_HELP} One fifth of digits and of a FILE, always the same "
            "rows, is kept to test on. Default: %(default)s.", default="digits"),
        **_TABLE,
        "--test-data": _value("FILE",
            "File of rows to test on, with the columns and classes of --data, all of whose rows "
            "are then trained on."),
        "--task": _choice("classification", "regression", help=
            "What whole numbers in the label column are. Default: classes if they are few and "
            "without gaps from 0 or 1, otherwise the numbers of a regression."),
        "--keep-case": _flag("Take labels that differ in case only for different classes."),
    },
    "table with text or missing values": {
        "--target": _value("COLUMN",
            "Column to learn, a name or an index, or several separated by commas, by the recipe "
            "for tables: text, dates and missing values as they are, a network that needs no "
            "options.", values.column),
        "--budget": _choice("fast", "default", "best", help=
            "Work of that recipe: one network after 64 epochs, the mean of four after 128, or that "
            "of eight larger ones after 256. Default: default."),
        "--report": _value("FILE",
            "Page to write on the columns, the training, errors and importances, such as "
            "page.html."),
    },
    "network": {
        "--layers": _value("UNITS",
            "Units of the hidden layers, such as 512,256, or none. Default: 256,128.",
            values.layer_sizes),
        "--activation": _value("NAME",
            "Activation of the hidden layers, such as gelu or tanh. Default: relu."),
        "--dropout": _value("RATE",
            "Share of each hidden layer's outputs to drop while training. Default: 0.0.",
            values.fraction),
    },
    "training": {
        "--loss": _value("NAME",
            "Such as mae, huber or binary_cross_entropy; it also decides whether whole numbers "
            "are classes. Default: cross_entropy for classes, mse for numbers."),
        "--optimizer": _value("NAME", "Such as sgd, adamw or rmsprop. Default: adam."),
        "--learning-rate": _value("RATE", "Default: the optimizer's own, 0.001 for adam.",
            values.positive_number),
        "--schedule": _choice("cosine", "constant", help=
            "Whether the learning rate falls to 0 along half a cosine or stays. Default: cosine."),
        "--epochs": _value("N",
            "Passes over the training rows. Default: 10, rising to 50 for few rows.",
            values.positive_integer),
        "--batch-size": _value("ROWS", "Rows of one step. Default: %(default)s.",
            values.positive_integer, default=32),
        "--validation-split": _value("SHARE",
            "Share of the training rows to measure after each epoch instead. Default: 0.0, or 0.1 "
            "with --early-stopping.", values.fraction),
        "--early-stopping": _value("EPOCHS",
            "Stop when the validation loss has not improved for this many epochs, 5 if it is not "
            "said, and keep the best weights.", values.positive_integer, nargs="?", const=5),
        "--class-weight": _value("WEIGHTS",
            "What a row of each class counts: balanced, by which all classes count the same, or "
            "such as cat=2,dog=0.5.", values.class_weights),
        **_METRICS,
        "--resume": _value("MODEL",
            "Go on with this model's layers, weights and state instead of a new network; what "
            "interrupted it may have left of its epochs is the default of --epochs."),
        "--seed": _value("N", "Decides initial weights, order of rows and dropout. Default: 0.",
            values.seed),
        **_THREADS,
    },
    "output": {
        "--output -o": _value("MODEL",
            "Model file to write or replace. Default: the data's name and .safetensors, here; "
            "with --resume that model."),
        **_OVERWRITE,
        "--plot": _value("FILE",
            "Draw the loss and the metrics over the epochs, such as to curves.png."),
        "--verbose -v": _flag("Print the layers too."),
        "--quiet -q": _flag("Print the test result and the files alone."),
    },
}
_PART = _choice("train", "test", "all", help=
        "Rows to take: those that train learns from, those it tests on, or all. Default: test "
        "for digits, mnist and fashion-mnist, all for a FILE.")
_EVALUATE: Mapping[str, Options] = {
    "": {**_MODEL,
        "--part": _PART,
        **_METRICS, **_THREADS},
    "data": {**_DATA, **_TABLE},
}
_EXPLAIN: Mapping[str, Options] = {
    "": {**_MODEL,
        "--row": _value("N", "Which row, counted from 0. Default: %(default)s.", values.index,
            default=0),
        "--out": _value("FILE", "Page to write. Default: the model's name and .html, here."),
        **_OVERWRITE,
        "--part": _PART},
    "data": {**_DATA, **_TABLE},
}
_PREDICT: Mapping[str, Options] = {
    "": {**_MODEL,
        "input": _value("INPUT",
            "File of rows: .csv or .tsv, which may be .gz, .parquet or .npy; - is the standard "
            "input."),
        "--output -o": _value("FILE", "CSV file to write. Default: -, standard output."),
        **_OVERWRITE,
        "--numbers": _flag("Write the classes' numbers, from 0, instead of their names."),
        "--labels-only": _flag("Write a classifier's labels without probabilities."),
        **_TABLE,
        "--label": _value("COLUMN",
            "Label column of a CSV file, which is left out: a name, an index, first or last. "
            "Default: the one that the model was trained on, if the file has it.", values.column),
        **_THREADS},
}
_EXPORT_C: Mapping[str, Options] = {
    "": {**_MODEL,
        "--out": _value("DIR", "Folder to write to; created if missing.", required=True),
        "--dtype": _choice("float", "int8", default="float", help=
            "Of weights and arithmetic; int8 needs --data. Default: %(default)s."),
        "--name": _value("NAME", "C identifier. Default: the model file's name."),
        "--streaming": _flag(
            "Code that goes through sequences frame by frame, with a state in between."),
        **_OVERWRITE},
    "data": {
        "--data": _value("DATA", f"{_DATA_HELP} The training rows set int8's scales and the test "
            "rows measure its accuracy; a .npy file of rows sets the scales alone."),
        **_TABLE},
}
_QUANTIZE: Mapping[str, Options] = {
    "": {**_MODEL,
        "--out": _value("FILE", "Model file to write or replace.", required=True),
        "--weights": _choice("int8", "bf16", default="int8", help=
            "What weights of dense layers become; int8 needs --data. Default: %(default)s."),
        **_OVERWRITE},
    "data": {
        "--data": _value("DATA", f"{_DATA_HELP} The training rows set int8's ranges and the test "
            "rows measure the change; a .npy file of rows does both without labels."),
        **_TABLE},
}
_EXPORT_ONNX: Mapping[str, Options] = {
    "": {**_MODEL,
        "onnx": _value("ONNX", "File to write or replace."),
        "--opset": _value("N", "Version of the operators, 13 to 23. Default: %(default)s.",
            values.positive_integer, default=17),
        "--output": _choice("raw", "probabilities", default="raw", help=
            "What the file computes: raw outputs, or probabilities by the loss's link. "
            "Default: %(default)s."),
        "--input-dtype": _choice("float32", "float64", "uint8", help=
            "Type of the input. Default: the model's."),
        "--no-check": _flag("Do not compare onnxruntime's predictions."),
        **_OVERWRITE},
}
_IMPORT_ONNX: Mapping[str, Options] = {
    "": {
        "onnx": _value("ONNX", "File to read."),
        "model": _value("MODEL", "Model file to write or replace."),
        "--output": _value("NAME",
            "Output of the graph to take. Default: the only one of floating-point numbers."),
        **_OVERWRITE},
}
_BENCH: Mapping[str, Options] = {
    "": {
        "model": _value("MODEL",
            "Model file, of which predictions of made-up rows are measured. Default: the network "
            "that train makes for --data, of which training is measured too.", nargs="?"),
        "--data": _value("NAME",
            "What to train on: digits, mnist or fashion-mnist. Default: digits, which come along."),
        "--batch-size": _value("ROWS", "Rows of one step of training. Default: 128.",
            values.positive_integer),
        "--quick": _flag("Shorter and fewer timings, for a first impression."),
        "--json": _value("FILE", "Write every measurement to this file too."),
        **_OVERWRITE,
        "--threads": _value("N", "Threads to use. Default: once 1, once one per core.",
            values.positive_integer)},
}
# fmt: on

_COMMANDS: Mapping[str, Mapping[str, Options]] = {
    "train": _TRAIN,
    "evaluate": _EVALUATE,
    "predict": _PREDICT,
    "explain": _EXPLAIN,
    "inspect": {"": _MODEL},
    "quantize": _QUANTIZE,
    "export-c": _EXPORT_C,
    "export-onnx": _EXPORT_ONNX,
    "import-onnx": _IMPORT_ONNX,
    "bench": _BENCH,
}
_EXCLUSIVE = frozenset({"--verbose -v", "--quiet -q"})


# What the recipe for tables takes of the options of a training.
_OF_THE_RECIPE = frozenset({"--loss", "--class-weight", "--metrics", "--seed", "--threads"})


def given_of_network(options: Namespace) -> list[str]:
    """Return the options given to train that make a network of one's own."""
    groups = {**_TRAIN["network"], **_TRAIN["training"]}
    return [
        name
        for name, arguments in groups.items()
        if name not in _OF_THE_RECIPE
        and getattr(options, name[2:].replace("-", "_")) != arguments.get("default")
    ]


def add_options(parser: ArgumentParser, command: str) -> None:
    """Add the options of a command, in their groups."""
    for title, options in _COMMANDS[command].items():
        group: Any = parser.add_argument_group(title) if title else parser
        exclusive: Any = None
        for names, arguments in options.items():
            target = group
            if names in _EXCLUSIVE:
                target = exclusive = exclusive or group.add_mutually_exclusive_group()
            target.add_argument(*names.split(), **arguments)
