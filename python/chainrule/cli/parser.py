# SPDX-License-Identifier: Apache-2.0
"""The commands, what they say of themselves, and which of them the arguments call for.

Commands are imported when they run, so that ``--help`` stays quick.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from chainrule.cli.options import add_options
from chainrule.cli.synonyms import unknown_command, unknown_option

STATUSES = (
    "The exit status is 0, or 1 if training diverged or a check of export-c or export-onnx failed, "
    "2 for a wrong argument, file or value, 130 after Ctrl-C, 143 after SIGTERM, 141 if the reader "
    "of the output has closed it."
)

# Of each command a short line, what it does, and examples.
_COMMANDS = {
    "train": (
        "Train a network and write a model file.",
        """\
Train a multilayer perceptron, show its accuracy on rows it has not seen, and write a model file.
Without arguments it learns the handwritten digits that come with chainrule.

Labels that are text, or few whole numbers without gaps from 0 or 1, are classes; other numbers are
targets of a regression. It says what it took them for, and --task or --loss decides otherwise.

A table with text, dates or missing values is trained by the recipe of TabularClassifier and
TabularRegressor, which needs scikit-learn and no options; so is any table where --target, --budget
or --report is given, and Parquet files always. Options of a network of one's own, such as --layers,
take tables of numbers alone. Rows without a target are left out.

Pixels (uint8) are scaled to 0..1; the columns of tables are standardised. The model keeps the names
of columns and classes. Ctrl-C or SIGTERM stops the training and still writes the model.""",
        """\
  chainrule train
  chainrule train --data mnist --layers 512,256 --epochs 10 --batch-size 128
  chainrule train --data houses.csv --label price --loss huber --plot houses.png
  chainrule train --data kunden.csv --delimiter ';' --decimal , --drop id --class-weight balanced
  chainrule train --data homes.parquet --target price --report homes.html
  chainrule train --data homes.csv --target price,rent --task regression
  zcat big.csv.gz | chainrule train --data - --early-stopping -o big.safetensors""",
    ),
    "evaluate": (
        "Measure a model on data.",
        """\
Print a model's loss on data with known labels, and its accuracy and confusion matrix, or for a
regression the mean squared error, the mean absolute error and R2. Columns are found by the names
that the model was trained on, classes by theirs, and so are several targets of a table, of which
each has figures of its own. Rows of tables without a target are left out. The data of a network
with several inputs or outputs are .npz files with an array for each by its name.""",
        """\
  chainrule evaluate digits.safetensors --data digits
  chainrule evaluate houses.safetensors --data houses.csv --label price --part test""",
    ),
    "predict": (
        "Predict the rows of a file.",
        """\
Predict every row of a CSV or NPY file. Columns are found by the names that the model was trained
on, in any order, and the label column is left out; files without names go by place. A model of a
table takes missing values, and text that it does not know as unknown. The answer is CSV: for a
classifier the class with the largest probability and the probability of each class, otherwise the
outputs.""",
        """\
  chainrule predict digits.safetensors new.npy
  chainrule predict houses.safetensors new.csv -o prices.csv
  head -n 5 new.csv | chainrule predict houses.safetensors -""",
    ),
    "explain": (
        "Write a page on one row's way through a model and back.",
        """\
Write one HTML file on one row: every value on its way through the network, every gradient on its
way back, each sum spelt out, finite differences beside the gradients, and what the optimizer
would change. It loads nothing from elsewhere.""",
        """\
  chainrule explain digits.safetensors --data digits --row 7
  chainrule explain houses.safetensors --data houses.csv --label price --row 0 --out house.html""",
    ),
    "inspect": (
        "Print what a model file holds.",
        "Print a model file's layers, shapes, sizes and the state of its training.",
        "",
    ),
    "quantize": (
        "Write a model with smaller weights.",
        """\
Write a model file whose dense layers have weights of 8 or 16 bits, for chainrule's Predictor in
Python and C++, which then predicts single rows faster. Prints how far outputs change, and with
labelled data the metrics before and after.""",
        """\
  chainrule quantize digits.safetensors --data digits --out small.safetensors
  chainrule quantize digits.safetensors --weights bf16 --out half.safetensors""",
    ),
    "export-c": (
        "Write a model as C.",
        """\
Write a model as C99: NAME.h and NAME.c, which need no heap and no library (math.h for some
activations), and NAME_test.c, a program that checks them against chainrule. Prints sizes, the
largest difference, and with labelled data the accuracy before and after.""",
        """\
  chainrule export-c digits.safetensors --out firmware
  chainrule export-c digits.safetensors --out firmware --dtype int8 --data digits
  cc -std=c99 firmware/digits.c firmware/digits_test.c -o digits_test && ./digits_test""",
    ),
    "export-onnx": (
        "Write a model as an ONNX file.",
        """\
Write a model's predictions as an ONNX file for onnxruntime and others, scaling of the features
included. Where onnxruntime is installed, its predictions are compared with the model's. A model of
several members gives the mean of their predictions, of classes as probabilities.""",
        """\
  chainrule export-onnx digits.safetensors digits.onnx
  chainrule export-onnx mnist.safetensors mnist.onnx --output probabilities --input-dtype uint8""",
    ),
    "import-onnx": (
        "Make a model of an ONNX file.",
        """\
Make a model file of an ONNX file that holds a multilayer perceptron, such as PyTorch, skl2onnx and
tf2onnx write. If it holds more, all operators that are not supported are listed.""",
        "",
    ),
    "bench": (
        "Measure speed on this machine.",
        """\
Measure how fast this machine trains and runs a network: rows per second, or microseconds a call for
single rows, and operations per second as a share of the multiply-adds that it can do at most. All
works are timed in turns; the table gives medians.""",
        """\
  chainrule bench
  chainrule bench --data mnist --threads 1 --json results.json
  chainrule bench digits.safetensors --quick""",
    ),
}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the options; the command to run is in ``run``."""
    parser, commands = _parsers()
    if not argv:
        parser.print_help()
        parser.exit()
    first = argv[0].partition("=")[0]
    own = ["--help", *_options(parser)]
    if first.startswith("--") and first not in own:
        others = {name: _options(command) for name, command in commands.items()}
        raise ValueError(unknown_option(first, own, elsewhere=others))
    if not first.startswith("-") and argv[0] not in commands:
        raise ValueError(unknown_command(argv[0], list(commands)))
    options, extra = parser.parse_known_args(argv)
    if extra:
        command = parser if options.command is None else commands[options.command]
        if not extra[0].startswith("-"):
            hint = f"; did you mean --data {extra[0]}?" if "--data" in _options(command) else ""
            raise ValueError(f"unexpected argument {extra[0]!r}{hint}")
        others = {name: _options(other) for name, other in commands.items() if other != command}
        raise ValueError(
            unknown_option(extra[0].partition("=")[0], _options(command), elsewhere=others)
        )
    if options.command is None:
        raise ValueError(f"no command; expected one of {', '.join(commands)}, or --help")
    return options


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return re.findall(r"--[a-z][a-z-]*", parser.format_usage())


def _parsers() -> tuple[_Parser, Mapping[str, _Parser]]:
    parser = _Parser(
        prog="chainrule",
        description="Train and run neural networks on the CPU.",
        epilog=f"Each command explains itself: chainrule train --help. {STATUSES}",
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

    for name, (short, description, examples) in _COMMANDS.items():
        command = group.add_parser(
            name,
            help=short,
            description=description,
            epilog=examples and f"examples:\n{examples}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.set_defaults(run=_runner(name))
        add_options(command, name)
    return parser, group.choices


def _runner(command: str) -> Callable[[argparse.Namespace], int]:
    def run(options: argparse.Namespace) -> int:
        module = importlib.import_module(f"chainrule.cli.{command.replace('-', '_')}")
        status: int = module.run(options)
        return status

    return run


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from chainrule import _core

        print(
            f"chainrule {_core.__version__} ({_core.instruction_set()} kernels, "
            f"{_core.threading_layer()} threads: {_core.default_num_threads()})"
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
