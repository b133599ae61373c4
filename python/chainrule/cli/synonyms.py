# SPDX-License-Identifier: Apache-2.0
"""What other programs call the options and the commands, and the error text for unknown ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from chainrule.names import near_name

_OPTIONS: Mapping[str, Sequence[str]] = {
    "batch-size": ["batch", "batchsize", "bs", "b", "mini-batch", "minibatch-size"],
    "class-weight": ["class-weights", "weights", "balanced", "weighted", "pos-weight"],
    "data": ["dataset", "input", "file", "csv", "train", "train-data", "training-data"],
    "decimal": ["decimal-point", "decimal-separator", "dec"],
    "delimiter": ["sep", "separator", "delim", "field-separator"],
    "drop": ["exclude", "ignore", "drop-columns", "drop-column", "ignore-columns", "skip"],
    "dropout": ["drop-rate", "dropout-rate", "p"],
    "activation": ["act", "nonlinearity", "non-linearity", "activation-function"],
    "early-stopping": ["patience", "early-stop", "earlystopping", "n-iter-no-change", "es"],
    "epochs": ["n-epochs", "num-epochs", "max-epochs", "nb-epoch", "iterations", "max-iter", "e"],
    "header": ["no-header", "has-header", "skip-header", "names"],
    "label": [
        "labels", "target", "targets", "y", "label-column", "target-column", "response", "class",
    ],
    "layers": [
        "hidden", "hidden-layers", "hidden-layer-sizes", "hidden-units", "hidden-size", "units",
        "layer", "neurons", "width", "architecture", "arch",
    ],
    "learning-rate": ["lr", "rate", "eta", "alpha", "learning-rate-init", "step-size", "base-lr"],
    "loss": ["criterion", "objective", "loss-function", "cost"],
    "metrics": ["metric", "score", "scoring", "eval-metric"],
    "optimizer": ["optim", "opt", "optimiser", "solver", "algorithm"],
    "output": [
        "out", "model", "save", "save-model", "output-file", "outfile", "model-file", "model-out",
        "output-model", "out-file", "save-to", "save-path", "model-path",
    ],
    "overwrite": ["force", "f", "clobber", "replace", "yes"],
    "part": ["subset", "split", "fold"],
    "plot": ["figure", "curves", "plots", "graph"],
    "quiet": ["silent", "no-progress", "s"],
    "resume": [
        "checkpoint", "continue", "from", "load", "load-model", "init", "init-from", "pretrained",
        "warm-start", "finetune", "fine-tune", "restore", "resume-from", "start-from",
    ],
    "schedule": ["scheduler", "lr-schedule", "lr-scheduler", "learning-rate-schedule", "decay"],
    "seed": ["random-state", "random-seed", "rng", "manual-seed"],
    "task": ["type", "problem", "problem-type", "mode", "regression", "classification"],
    "test-data": ["test", "test-file", "eval-data", "holdout", "test-set"],
    "thousands": ["thousands-separator", "grouping"],
    "threads": [
        "num-threads", "n-threads", "n-jobs", "jobs", "j", "workers", "num-workers", "cores",
        "cpus", "nthreads", "t",
    ],
    "validation-split": [
        "validation", "val-split", "valid-split", "validation-fraction", "val", "val-fraction",
        "validation-size", "val-size", "valid",
    ],
    "verbose": ["debug", "verbosity", "loud"],
}  # fmt: skip
_COMMANDS: Mapping[str, Sequence[str]] = {
    "train": ["fit", "learn", "run"],
    "evaluate": ["eval", "test", "score", "validate", "measure"],
    "predict": ["infer", "inference", "apply", "prediction", "classify"],
    "explain": ["visualize", "visualise", "view", "why"],
    "inspect": ["info", "show", "summary", "describe", "print"],
    "quantize": ["quantise", "shrink", "compress", "int8", "bf16"],
    "export-c": ["c", "export", "to-c", "compile"],
    "export-onnx": ["onnx", "to-onnx"],
    "import-onnx": ["import", "from-onnx"],
    "bench": ["benchmark", "speed"],
}
_OPTION_OF = {synonym: name for name, synonyms in _OPTIONS.items() for synonym in synonyms}
_COMMAND_OF = {synonym: name for name, synonyms in _COMMANDS.items() for synonym in synonyms}


def unknown_option(
    given: str, valid: Sequence[str], elsewhere: Mapping[str, Iterable[str]] | None = None
) -> str:
    """Return the error text for an option that a command lacks."""
    plain = given.lstrip("-").replace("_", "-").lower()
    names = [name.lstrip("-") for name in valid]
    meant = _meant(plain, names, _OPTION_OF)
    hint = f" did you mean '--{meant}'?" if meant is not None else ""
    if not hint:
        others = [name for name, options in (elsewhere or {}).items() if f"--{plain}" in options]
        hint = f" it is an option of {', '.join(others)};" if others else ""
    return f"unknown option {given!r};{hint} valid: {', '.join(valid)}"


def unknown_command(given: str, valid: Sequence[str]) -> str:
    """Return the error text for an unknown command."""
    meant = _meant(given.replace("_", "-").lower(), valid, _COMMAND_OF)
    hint = f" did you mean {meant!r}?" if meant is not None else ""
    return f"unknown command {given!r};{hint} valid: {', '.join(valid)}"


def _meant(given: str, valid: Sequence[str], synonyms: Mapping[str, str]) -> str | None:
    """Return the valid name that a name stands for: known by table, begun, or nearly the same."""
    if given in valid:
        return given
    if synonyms.get(given) in valid:
        return synonyms[given]
    begun = [name for name in valid if len(given) > 2 and name.startswith(given)]
    if len(begun) == 1:
        return begun[0]
    # A slip in another program's name, such as --learning_rte, is one in its synonym too.
    known = {name: name for name in valid}
    known |= {s: name for s, name in synonyms.items() if name in valid and len(s) > 3}
    near = near_name(given, known)
    return known[near] if near else None
