# SPDX-License-Identifier: Apache-2.0
"""The commands and their options.

Names of losses, optimizers and activations are checked where they are used, so that one place knows
them; commands are imported when they run, so that ``--help`` stays quick.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from chainrule.cli import values
from chainrule.names import unknown_name

_DATA_HELP = """\
digits, mnist or fashion-mnist; or a FILE: .csv or .csv.gz with a label column, or .npz with the
arrays x and y. One fifth of digits and of a FILE, always the same rows, is kept for testing."""

_TRAIN_HELP = """\
Train a multilayer perceptron, show its accuracy on rows it has not seen, and write a model file.
Without arguments it learns the handwritten digits that come with chainrule.

Labels that are text or whole numbers from 0 to 999 are classes; other numbers are targets of a
regression, as all numbers are with --loss mse. Pixels (uint8) are scaled to 0..1; the columns of
tables are standardised. Ctrl-C stops the training and still writes the model."""

_TRAIN_EXAMPLES = """\
examples:
  chainrule train
  chainrule train --data mnist --layers 512,256 --epochs 10 --batch-size 128
  chainrule train --data houses.csv --label price --loss huber --plot houses.png"""

_EVALUATE_HELP = """\
Print a model's loss on data with known labels, and its accuracy and confusion matrix, or for a
regression the mean squared error, the mean absolute error and R2."""

_EVALUATE_EXAMPLES = """\
examples:
  chainrule evaluate digits.safetensors --data digits
  chainrule evaluate houses.safetensors --data houses.csv --label price --part test"""

_PREDICT_HELP = """\
Predict every row of a CSV or NPY file without a label column. The answer is CSV: for a classifier
the label with the largest probability and the probability of each class, otherwise the outputs."""

_PREDICT_EXAMPLES = """\
examples:
  chainrule predict digits.safetensors new.npy
  chainrule predict houses.safetensors new.csv -o prices.csv"""

_INSPECT_HELP = "Print a model file's layers, shapes, sizes and the state of its training."

_EXPORT_C_HELP = """\
Write a model as C99: NAME.h and NAME.c, which need no heap and no library (math.h for some
activations), and NAME_test.c, a program that checks them against chainrule. Prints sizes, the
largest difference, and with labelled data the accuracy before and after."""

_EXPORT_C_EXAMPLES = """\
examples:
  chainrule export-c digits.safetensors --out firmware
  chainrule export-c digits.safetensors --out firmware --dtype int8 --data digits
  cc -std=c99 firmware/digits.c firmware/digits_test.c -o digits_test && ./digits_test"""

_EXPORT_ONNX_HELP = """\
Write a model's predictions as an ONNX file for onnxruntime and others, scaling of the features
included. Where onnxruntime is installed, its predictions are compared with the model's."""

_EXPORT_ONNX_EXAMPLES = """\
examples:
  chainrule export-onnx digits.safetensors digits.onnx
  chainrule export-onnx mnist.safetensors mnist.onnx --output probabilities --input-dtype uint8"""

_IMPORT_ONNX_HELP = """\
Make a model file of an ONNX file that holds a multilayer perceptron, such as PyTorch, skl2onnx and
tf2onnx write. If it holds more, all operators that are not supported are listed."""

_BENCH_HELP = """\
Measure training speed against the libraries installed beside chainrule (NumPy by hand,
scikit-learn, PyTorch, JAX) on the same work, and print a Markdown table. Each library first has to
reach the same loss from the same initial weights; then rounds of all of them alternate, and the
table gives medians."""

_BENCH_EXAMPLES = """\
examples:
  chainrule bench --quick
  chainrule bench --threads 1 --json results.json"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the options; the command to run is in ``run``.

    Parameters
    ----------
    argv : sequence of str
        The arguments after the program's name.

    Returns
    -------
    argparse.Namespace

    Raises
    ------
    ValueError
        If an argument is wrong; the text is one line.
    """
    parser, commands = _parsers()
    if argv and not argv[0].startswith("-") and argv[0] not in commands:
        raise ValueError(unknown_name("command", argv[0], commands))
    options, extra = parser.parse_known_args(argv)
    if extra:
        if not extra[0].startswith("-"):
            raise ValueError(f"unexpected argument {extra[0]!r}")
        command = parser if options.command is None else commands[options.command]
        valid = re.findall(r"--[a-z][a-z-]*", command.format_usage())
        raise ValueError(unknown_name("option", extra[0].partition("=")[0], valid))
    if options.command is None:
        raise ValueError(f"no command; expected one of {', '.join(commands)}, or --help")
    return options


def _parsers() -> tuple[_Parser, Mapping[str, _Parser]]:
    parser = _Parser(
        prog="chainrule",
        description="Train and run multilayer perceptrons on the CPU.",
        epilog="Each command explains itself: chainrule train --help. The exit status is 0, or 1 "
        "if training diverged, 2 for a wrong argument, file or value, 130 after Ctrl-C.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="Print the version and the kernels in use."
    )
    parser.add_argument(
        "--cmakedir",
        action=_Folder,
        nargs=0,
        const="lib/cmake/chainrule",
        help="Print the CMake package's folder: cmake -Dchainrule_DIR=$(chainrule --cmakedir).",
    )
    parser.add_argument(
        "--includedir",
        action=_Folder,
        nargs=0,
        const="include",
        help="Print the folder of the C and C++ headers.",
    )
    group = parser.add_subparsers(dest="command", metavar="COMMAND")

    def add(name: str, short: str, description: str, examples: str = "") -> _Parser:
        command = group.add_parser(
            name,
            help=short,
            description=description,
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.set_defaults(run=_runner(name))
        return command

    train = add("train", "Train a network and write a model file.", _TRAIN_HELP, _TRAIN_EXAMPLES)
    _add_train(train)
    evaluate = add("evaluate", "Measure a model on data.", _EVALUATE_HELP, _EVALUATE_EXAMPLES)
    _add_evaluate(evaluate)
    predict = add("predict", "Predict the rows of a file.", _PREDICT_HELP, _PREDICT_EXAMPLES)
    _add_predict(predict)
    inspect = add("inspect", "Print what a model file holds.", _INSPECT_HELP)
    _add_model(inspect)
    export_c = add("export-c", "Write a model as C.", _EXPORT_C_HELP, _EXPORT_C_EXAMPLES)
    _add_export_c(export_c)

    export_onnx = add(
        "export-onnx", "Write a model as an ONNX file.", _EXPORT_ONNX_HELP, _EXPORT_ONNX_EXAMPLES
    )
    _add_export_onnx(export_onnx)
    import_onnx = add("import-onnx", "Make a model of an ONNX file.", _IMPORT_ONNX_HELP)
    _add_import_onnx(import_onnx)
    bench = add("bench", "Measure speed beside other libraries.", _BENCH_HELP, _BENCH_EXAMPLES)
    _add_bench(bench)
    return parser, group.choices


def _runner(command: str) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        module = importlib.import_module(f"chainrule.cli.{command.replace('-', '_')}")
        status: int = module.run(options)
        return status

    return run


def _add_train(parser: argparse.ArgumentParser) -> None:
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


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    _add_data(parser, default=None)
    parser.add_argument(
        "--part",
        choices=("train", "test", "all"),
        help="Rows to take: those that train learns from, those it tests on, or all. Default: test "
        "for digits, mnist and fashion-mnist, all for a FILE.",
    )
    _add_threads(parser)


def _add_predict(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument("input", metavar="INPUT", help="File of rows: .csv, .csv.gz or .npy.")
    parser.add_argument(
        "--output", "-o", metavar="FILE", help="CSV file to write. Default: standard output."
    )
    _add_header(parser)
    _add_threads(parser)


def _add_export_c(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
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
    _add_data(
        parser,
        default=None,
        required=False,
        more=" The training rows set int8's scales and the test rows measure its accuracy; a .npy "
        "file of rows sets the scales alone.",
    )


def _add_export_onnx(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
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


def _add_import_onnx(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("onnx", metavar="ONNX", help="File to read.")
    parser.add_argument("model", metavar="MODEL", help="Model file to write or replace.")
    parser.add_argument(
        "--output",
        metavar="NAME",
        help="Output of the graph to take. Default: the only one of floating-point numbers.",
    )


def _add_bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--quick", action="store_true", help="Fewer rows and rounds, for a first impression."
    )
    parser.add_argument("--json", metavar="FILE", help="Write every measurement to this file too.")
    _add_threads(
        parser,
        "Threads that each library may use. Default: 1 and one per core, of which the better "
        "counts; one per core with --quick.",
    )


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="Model file that train has written.")


def _add_data(
    parser: argparse.ArgumentParser, default: str | None, *, required: bool = True, more: str = ""
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


def _add_threads(
    parser: Any, text: str = "Threads to use, which changes no result. Default: one per core."
) -> None:
    parser.add_argument("--threads", type=values.positive_integer, metavar="N", help=text)


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from chainrule import _core

        print(
            f"chainrule {_core.__version__} ({_core.instruction_set()} kernels, "
            f"{_core.thread_backend()} threads: {_core.default_num_threads()})"
        )
        parser.exit()


class _Folder(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from chainrule import _core

        # In an editable installation the other files of the build lie beside the module, while the
        # package itself is in the source tree.
        folder = Path(_core.__file__).parent / str(self.const)
        if not folder.is_dir():
            raise FileNotFoundError(errno.ENOENT, "not installed with this chainrule", str(folder))
        print(folder)
        parser.exit()
