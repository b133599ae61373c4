# SPDX-License-Identifier: Apache-2.0
"""Where within an epoch a network was saved, so that a training goes on from there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chainrule import _core
from chainrule.inputs.checked_data import CheckedData
from chainrule.inputs.compressed_rows import as_table
from chainrule.inputs.several import Several

__all__ = ["EpochUnderWay"]


class EpochUnderWay(NamedTuple):
    """An epoch of which some batches have been trained on."""

    batch: int  # the last of them, counted from 1
    batch_size: int
    rows: int
    shuffle: bool
    total_steps: int
    losses: list[list[float]]  # of those batches, by output: sum, weight and unit
    augment: Sequence[Mapping[str, Any]] = ()  # the configs

    @property
    def record(self) -> dict[str, Any]:
        """The same as JSON has it."""
        record = self._asdict()
        if not self.augment:
            del record["augment"]
        return record

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> EpochUnderWay:
        """Return what `record` says; ValueError or the like for what it cannot say."""
        made = cls(**record)
        shuffle: object = made.shuffle
        whole = (made.batch, made.batch_size, made.rows, made.total_steps)
        if any(type(n) is not int or not 0 < n < 2**62 for n in whole):
            raise ValueError(f"an epoch under way has numbers {whole}")
        if not isinstance(shuffle, bool) or (made.batch - 1) * made.batch_size >= made.rows:
            raise ValueError("an epoch under way has more batches than rows")
        for sums in made.losses:
            loss, weight, unit = map(float, sums)
            if not (math.isfinite(loss) and 0 <= weight < math.inf and 0 < unit < math.inf):
                raise ValueError(f"an epoch under way has losses {sums}")
        for described in made.augment:
            _core.Augmentation(described)
        return made

    def fits(
        self,
        rows: int,
        batch_size: int,
        shuffle: bool,
        total_steps: int,
        outputs: int,
        augment: Sequence[Mapping[str, Any]],
    ) -> bool:
        """Whether a training with these rows and batches is the one that was saved."""
        given = (min(batch_size, rows), rows, shuffle, total_steps, outputs, list(augment))
        own = (min(self.batch_size, self.rows), self.rows, self.shuffle, self.total_steps)
        return given == (*own, len(self.losses), list(self.augment))

    @property
    def sums(self) -> _core.LossSum:
        """The losses as the core has them."""
        return _core.LossSum([(a, b, c) for a, b, c in self.losses])

    def left(self, data: CheckedData, seed: int, epoch: int) -> tuple[CheckedData, NDArray[Any]]:
        """Return targets and weights of the rows that are left, and which these are."""
        rows = np.arange(self.rows)
        if self.shuffle:
            rows = _core.shuffled_order(self.rows, seed, epoch)
        rows = rows[self.batch * self.batch_size :]
        y: Any
        if isinstance(data.y, Several):
            y = Several([as_table(part)[rows] for part in data.y.parts])
        else:
            y = as_table(data.y)[rows]
        weight = None if data.sample_weight is None else data.sample_weight[rows]
        return data._replace(y=y, sample_weight=weight), rows
