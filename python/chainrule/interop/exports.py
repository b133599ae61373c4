# SPDX-License-Identifier: Apache-2.0
"""The methods of `Sequential` that make something of it for other software."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from chainrule.atomic_file import write_atomically

if TYPE_CHECKING:
    import sklearn.neural_network
    import torch

    from chainrule.export_c import CExport
    from chainrule.interop.onnx_check import ExportReport
    from chainrule.sequential import Sequential

__all__ = ["Exports"]


class Exports:
    """A part of `Sequential`, which imports what it needs when it is called."""

    def to_onnx(
        self,
        path: str | os.PathLike[str],
        *,
        opset: int = 17,
        output: str = "raw",
        input_dtype: str | None = None,
        check: bool = True,
        tolerance: float = 1e-5,
    ) -> ExportReport:
        """Write the network's predictions as an ONNX file, which needs no other package.

        Its input is ``x`` of shape (rows, inputs) for any number of rows, its output ``y``.
        Scaling layers are part of the graph, dropout is left out, and batch normalisation uses its
        running statistics.

        Parameters
        ----------
        path : path-like
            Customarily ending in ``.onnx``; written under a temporary name and renamed.
        opset : int, default 17
            Version of the operators, 13 to 23.
        output : {"raw", "probabilities"}, default "raw"
            What `predict` gives, or what `predict_proba` does.
        input_dtype : {"float32", "float64", "uint8"}, optional
            Type of the input. Default: the network's dtype.
        check : bool, default True
            Compare onnxruntime's predictions with the network's on random rows, where onnxruntime
            is installed.
        tolerance : float, default 1e-5
            Largest difference that the check takes, as a part of the largest output.

        Returns
        -------
        ExportReport
            With ``path``, ``size`` and ``max_relative_difference``.

        Raises
        ------
        ValueError, TypeError
            If an argument is not valid, probabilities are asked of a network whose loss has none,
            or a layer has no form in ONNX files.
        RuntimeError
            If the number of inputs is not known yet.
        chainrule.ExportError
            If the check finds a larger difference; no file is written.

        Examples
        --------
        >>> import tempfile
        >>> import chainrule as cr
        >>> net = cr.Sequential([cr.Input(4), cr.Dense(8, activation="gelu"), cr.Dense(3)], seed=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = net.to_onnx(f"{folder}/net.onnx", check=False)
        ...     again = cr.from_onnx(report.path)
        >>> again.layers
        [Dense(8, activation='gelu'), Dense(3)]
        """
        from chainrule.interop.onnx_check import ExportReport, self_check
        from chainrule.interop.onnx_export import onnx_bytes

        net = cast("Sequential", self)
        content = onnx_bytes(net, opset=opset, output=output, input_dtype=input_dtype)
        difference = None
        if check:
            difference = self_check(net, content, output, input_dtype or net.dtype, tolerance)
        write_atomically(path, content)
        return ExportReport(Path(path), len(content), difference)

    def export_c(
        self,
        directory: str | os.PathLike[str],
        *,
        name: str = "model",
        dtype: str = "float32",
        calibration: object = None,
        validation_data: Sequence[object] | None = None,
        test_rows: object = None,
        overwrite: bool = False,
    ) -> CExport:
        """Write C99 that predicts without a heap: NAME.h, NAME.c and the self-test NAME_test.c.

        Parameters
        ----------
        directory : path-like
            Where to write; created if missing. Files of an earlier export of the same name are
            replaced.
        name : str, default "model"
            First part of the names of files, functions and macros. No two names share any of them,
            so that several exports may be compiled together.
        dtype : {"float32", "int8"}, default "float32"
            Of the dense layers' weights and arithmetic. What lies between them and is no relu, and
            outputs, are floats in either case.
        calibration : array_like of shape (rows, inputs), optional
            Rows from which int8 takes its scales, layer by layer, without the largest and smallest
            0.01 % of the values; needed for int8.
        validation_data : (x, y) or (x, y, sample_weight), optional
            Where to compare loss and metrics before and after.
        test_rows : array_like of shape (rows, inputs), optional
            The first 8 become the self-test's vectors. Default: those of `calibration`, else random
            numbers.
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
        """
        from chainrule.export_c import export

        return export(
            cast("Sequential", self),
            directory,
            name=name,
            dtype=dtype,
            calibration=calibration,
            validation_data=validation_data,
            test_rows=test_rows,
            overwrite=overwrite,
        )

    def to_torch(self) -> torch.nn.Sequential:
        """Return a `torch.nn.Sequential` with copies of the weights, in evaluation mode.

        Its outputs are those of `predict`, which is checked on random rows. Penalties of the
        weights are not part of it, and what PyTorch lacks, `Rescaling` and `Normalization`,
        becomes a `chainrule.interop.torch_modules.Scaling`.

        Returns
        -------
        torch.nn.Sequential
            Of the network's dtype.

        Raises
        ------
        ImportError
            If PyTorch is not installed.
        ValueError
            If a layer has no form in PyTorch.
        chainrule.ExportError
            If the module's outputs differ from the network's.
        RuntimeError
            If the number of inputs is not known yet.
        """
        from chainrule.interop.torch import to_torch

        return to_torch(cast("Sequential", self))

    def to_sklearn(
        self, classes: Sequence[Any] | None = None
    ) -> sklearn.neural_network.MLPClassifier | sklearn.neural_network.MLPRegressor:
        """Return a fitted estimator of scikit-learn with copies of the weights.

        A network whose loss is `CrossEntropy` or `BinaryCrossEntropy`, or whose last activation is
        softmax or sigmoid, becomes an ``MLPClassifier``, another one an ``MLPRegressor``. Layers
        that scale and shift are folded into the weights beside them.

        Parameters
        ----------
        classes : sequence, optional
            Labels of the classes, in the order of the outputs (of the classes 0 and 1 for a single
            output). Default: the network's `class_names` where they are sorted, as scikit-learn
            keeps labels, else 0, 1, ...

        Returns
        -------
        MLPClassifier or MLPRegressor
            Its ``predict`` and ``predict_proba`` agree with the network's up to rounding.

        Raises
        ------
        ImportError
            If scikit-learn is not installed.
        ValueError
            If scikit-learn cannot hold the network; the text lists every reason. If `classes` has
            another length, or the network is no classifier.
        RuntimeError
            If the number of inputs is not known yet.
        """
        from chainrule.interop.sklearn import to_sklearn

        return to_sklearn(cast("Sequential", self), classes)
