# SPDX-License-Identifier: Apache-2.0
"""``chainrule export-c``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from chainrule import data
from chainrule.c_export.exporting import export_c, exported_files
from chainrule.c_export.literals import check_name
from chainrule.cli import dataset, several, tabular
from chainrule.cli.file_kinds import C_SOURCE
from chainrule.cli.known import Known
from chainrule.cli.output import output_path
from chainrule.cli.tables import TableOptions
from chainrule.network.model_file import load
from chainrule.network.network import Network
from chainrule.tables import SavedModel


def run(options: argparse.Namespace) -> int:
    """Write a model as C and print what was written."""
    name = _name(options)
    if options.dtype == "int8" and options.data is None:
        raise ValueError("--dtype int8 needs --data, rows to choose its scales from")
    _check_files(options, name)
    net = load(options.model)
    print(
        export_c(
            net,
            options.out,
            name=name,
            dtype={"float": "float32"}.get(options.dtype, options.dtype),
            streaming=options.streaming,
            overwrite=options.overwrite,
            **calibration_data(options, net),
        )
    )
    return 0


def _check_files(options: argparse.Namespace, name: str) -> None:
    """Find out before the work whether the files that will be written may be."""
    folder = Path(options.out)
    if not folder.is_dir():  # it will be made, or is a file, which the export refuses
        return
    for file in exported_files(name):
        output_path(
            str(folder / file),
            C_SOURCE,
            inputs=[options.model, dataset.source(options.data)],
            overwrite=options.overwrite,
        )


def _name(options: argparse.Namespace) -> str:
    if options.name is not None:
        return check_name(options.name)
    stem = dataset.stem(options.model)
    try:
        return check_name(stem)
    except ValueError as error:
        raise ValueError(f"--name is needed: {error}") from None


def calibration_data(options: argparse.Namespace, net: Network) -> dict[str, Any]:
    """Return rows of --data to calibrate by, and where they have labels others to measure on."""
    table = TableOptions.of(options)
    if options.data is None:
        if given := table.given():
            raise ValueError(f"{' and '.join(given)}: for the CSV file of --data")
        return {}
    saved = tabular.model_of(net, options.model)
    if saved is not None:
        return _of_table(options, table, saved)
    if Path(options.data).suffix.lower() == ".npy":
        table.refuse(f"--data is {options.data}")
        return {"calibration": data.load_npy(options.data)}
    if several.takes(net, options.data):
        return _of_several(options.data, table, net)
    train, test = dataset.read_both(options.data, table, known=Known.of(net, options.model))
    return {
        "calibration": train.x,
        "validation_data": None if net.loss is None else (test.x, test.y),
    }


def _of_several(path: str, table: TableOptions, net: Network) -> dict[str, Any]:
    measured = net.loss is not None
    train, test = several.read(net, path, table, labelled=measured).split()
    return {
        "calibration": train.given[0],
        "validation_data": test.given if measured else None,
    }


def _of_table(
    options: argparse.Namespace, table: TableOptions, saved: SavedModel
) -> dict[str, Any]:
    known = tabular.known_of(saved, options.model)
    rows = tabular.read_known(options.data, table, saved.model.description, known)
    train, test = rows.split()
    y = tabular.targets(saved, test.y)
    return {
        "calibration": tabular.matrix(saved, train.table),
        "validation_data": (tabular.matrix(saved, test.table), y),
    }
