# SPDX-License-Identifier: Apache-2.0
"""``chainrule bench``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from chainrule import _core
from chainrule.atomic_file import write_atomically
from chainrule.cli import dataset, speed
from chainrule.cli.file_kinds import BENCHMARK
from chainrule.cli.known import refuse_several
from chainrule.cli.network import network
from chainrule.cli.output import output_path
from chainrule.cli.speed import Speed, Work
from chainrule.layers import Dense
from chainrule.losses import CrossEntropy
from chainrule.names import unknown_name
from chainrule.network.model_file import load

_BUSY = 0.2
_COPIED_BYTES = 1 << 26


def run(options: argparse.Namespace) -> int:
    """Measure a network on this machine, and print a table."""
    path = None
    if options.json is not None:
        inputs = [options.model]
        path = output_path(options.json, BENCHMARK, inputs=inputs, overwrite=options.overwrite)
    cores = _core.default_num_threads()
    threads = [options.threads] if options.threads is not None else sorted({1, cores})
    works = _of_data(options) if options.model is None else _of_model(options)
    rounds, seconds = (3, 0.05) if options.quick else (7, 0.5)
    machine = speed.machine()
    speeds = speed.measure(works, threads, rounds=rounds, seconds=seconds)
    copies = _core.copy_rate(_COPIED_BYTES, seconds, threads[-1])
    print(_table(machine, speeds, copies))
    if path is not None:
        write_atomically(path, _as_json(machine, speeds, copies).encode())
    return 0


def _of_data(options: argparse.Namespace) -> list[Work]:
    """Return training and prediction of the network that ``chainrule train`` would make."""
    data = options.data or "digits"
    if data not in dataset.PUBLISHED:
        raise ValueError(unknown_name("data", data, dataset.PUBLISHED))
    train, test = dataset.read_both(data)
    described = argparse.Namespace(layers=None, activation=None, dropout=None, seed=0)
    loss = CrossEntropy()
    net = network(described, loss, train, test)
    net.compile(loss=loss, optimizer="adam", metrics=[])
    net.build(train.features)
    units = [layer.units for layer in net.layers if isinstance(layer, Dense)]
    name = f"{data} {'-'.join(map(str, [train.features, *units]))}"
    return [
        speed.training(name, net, train.x, train.y, options.batch_size or 128),
        *_predictions(name, net, train.x),
    ]


def _of_model(options: argparse.Namespace) -> list[Work]:
    """Return prediction by a model of made-up rows."""
    for name in ("data", "batch_size"):
        if getattr(options, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} is for bench without a model file")
    net = load(options.model)
    refuse_several(net, options.model)
    return _predictions(Path(options.model).name, net, speed.made_up_rows(net))


def _predictions(name: str, net: Any, x: Any) -> list[Work]:
    return [speed.inference(name, net, x[:1024]), speed.inference(name, net, x[:1])]


def _table(machine: Mapping[str, str], speeds: Sequence[Speed], copies: float) -> str:
    peaks = {s.threads: s.peak for s in speeds}
    peak = ", ".join(
        f"{median(found):,.0f} on {count} thread{'s' if count > 1 else ''}"
        for count, found in peaks.items()
    )
    head = ("work", "threads", "speed", "Gflop/s", "of peak", "spread")
    rows = [head, *(_row(s) for s in speeds)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, {machine['system']}; chainrule "
        f"{machine['chainrule']}, {machine['kernels']} kernels; Python {machine['python']}",
        f"at most {peak} Gflop/s by multiply-adds in {speeds[0].work.dtype}; "
        f"copies {copies:.1f} GB/s",
        "",
    ]
    for name, *cells in rows:
        numbers = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *numbers]))
    if any(s.spread > _BUSY for s in speeds):
        lines += [
            "",
            "The machine was busy: a spread this wide leaves the figures little meaning.",
        ]
    return "\n".join(lines)


def _row(found: Speed) -> tuple[str, ...]:
    rate = f"{found.rate:,.0f} rows/s"
    if found.work.rows == 1:
        rate = f"{1e6 / found.rate:.2f} us"
    return (
        found.work.name,
        str(found.threads),
        rate,
        f"{found.gflops:.1f}",
        f"{found.share_of_peak:.0%}",
        f"{found.spread:.0%}",
    )


def _as_json(machine: Mapping[str, str], speeds: Sequence[Speed], copies: float) -> str:
    content = {
        "machine": machine,
        "copies_gb_per_second": copies,
        "results": [
            {
                "work": s.work.name,
                "threads": s.threads,
                "rows_per_call": s.work.rows,
                "operations_per_row": s.work.operations,
                "dtype": s.work.dtype,
                "rows_per_second": s.rate,
                "rounds": s.rows_per_second,
                "gflops": s.gflops,
                "peak_gflops": median(s.peak),
                "share_of_peak": s.share_of_peak,
                "spread": s.spread,
            }
            for s in speeds
        ],
    }
    return json.dumps(content, indent=1) + "\n"
