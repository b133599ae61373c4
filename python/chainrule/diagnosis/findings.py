# SPDX-License-Identifier: Apache-2.0
"""The findings: what in the measures is a problem, in plain words and with advice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from chainrule.diagnosis.curvature import Curvature
    from chainrule.diagnosis.data import DataMeasures
    from chainrule.diagnosis.layers import LayerMeasures
    from chainrule.diagnosis.trial import RateTrial

__all__ = ["Finding", "data_findings", "layer_findings", "rate_findings"]


@dataclass(frozen=True)
class Finding:
    """One problem.

    Attributes
    ----------
    kind : str
        Such as ``"vanishing_gradients"``.
    text : str
        What was found, with numbers.
    advice : str
        What to try.
    layer : int or None
        Which layer it is about.
    """

    kind: str
    text: str
    advice: str
    layer: int | None = None

    def __str__(self) -> str:
        """Return the text and the advice."""
        return f"{self.text}; {self.advice}"


_VANISHED = 1e-4  # of the last layer's gradient
_GROWN = 1e3  # times the input, in all
_DEAD = 0.5
_SATURATED = 0.5
_LARGE_INPUT, _SMALL_INPUT = 30.0, 1e-2
_LARGE_TARGET = 100.0
_RARE = 0.1  # of an even share
_RISES = 0.1  # of the loss of zeros
_UNSTABLE = 3.0  # times 2 / curvature; near to that, networks often find flatter places
_FALLS = 0.05  # of it, that another rate can do
_SLOW = 0.01  # of what that does


def layer_findings(layers: Sequence[LayerMeasures], inputs: float, loss: float) -> list[Finding]:
    """Return what is wrong with the layers.

    Parameters
    ----------
    layers : sequence of LayerMeasures
        In the order of the network.
    inputs : float
        Root mean square of what reaches the first layer with weights.
    loss : float
        The loss of the rows.
    """
    return [
        *_exploding(layers, inputs, loss),
        *_vanishing(layers),
        *_identical(layers),
        *_dead(layers),
        *_saturated(layers),
    ]


def _exploding(layers: Sequence[LayerMeasures], inputs: float, loss: float) -> Iterator[Finding]:
    advice = "take the default initialisation, normalise (BatchNormalization) or clip_norm"
    for layer in layers:
        if layer.output is not None and not np.isfinite(layer.output):
            text = f"layer {layer.node}, {layer.name}, gives numbers that are not finite"
            yield Finding("exploding_activations", text, advice, layer.index)
            return
    for layer in layers:
        if layer.output is not None and layer.output > _GROWN * max(inputs, 1.0):
            text = (
                f"the outputs of layer {layer.node} are {layer.output:.1e} in root mean square, "
                f"the inputs {inputs:.1e}: they grow from layer to layer"
            )
            yield Finding("exploding_activations", text, advice, layer.index)
            return
    gradients = [layer.gradient for layer in layers if layer.gradient is not None]
    if not np.isfinite(loss) or not np.isfinite(gradients).all():
        text = "the loss or its gradients are not finite"
        yield Finding("exploding_gradients", text, advice)
        return
    with_weights = [layer for layer in layers if layer.gradient]
    if len(with_weights) > 1:
        first, last = with_weights[0], with_weights[-1]
        assert first.gradient is not None
        assert last.gradient is not None
        if first.gradient > max(inputs, 1.0) * last.gradient / _VANISHED:
            text = (
                f"layer {first.node}'s gradient is {first.gradient / last.gradient:.1e} times "
                "that of the last layer: gradients grow on their way back"
            )
            yield Finding("exploding_gradients", text, advice, first.index)


def _vanishing(layers: Sequence[LayerMeasures]) -> Iterator[Finding]:
    with_weights = [layer for layer in layers if layer.gradient is not None and not layer.identical]
    if len(with_weights) < 2:
        return
    first, last = with_weights[0], with_weights[-1]
    assert first.gradient is not None
    assert last.gradient is not None
    if not np.isfinite([first.gradient, last.gradient]).all():
        return
    if last.gradient > 0.0 and first.gradient < _VANISHED * last.gradient:
        squashing = any(layer.saturated is not None for layer in layers)
        why = (
            "each sigmoid or tanh lets through a part of it alone"
            if squashing
            else ("little of it comes through the layers between")
        )
        yield Finding(
            "vanishing_gradients",
            f"layer {first.node}'s gradient is {first.gradient / last.gradient:.1e} of the last "
            f"layer's: {why}",
            "try relu with its default initialisation, BatchNormalization, fewer layers or "
            "residual connections",
            first.index,
        )


def _identical(layers: Sequence[LayerMeasures]) -> Iterator[Finding]:
    for place, layer in enumerate(layers):
        # In the last layer zeros are a sound beginning: its units have targets of their own.
        if layer.gives_output:
            continue
        if layer.identical and any(other.gradient is not None for other in layers[place + 1 :]):
            yield Finding(
                "identical_units",
                f"all units of layer {layer.node} have the same weights, and will keep them so",
                "take a random initialisation, such as the default",
                layer.index,
            )


def _dead(layers: Sequence[LayerMeasures]) -> Iterator[Finding]:
    for layer in layers:
        if layer.dead is not None and layer.dead >= _DEAD:
            yield Finding(
                "dead_units",
                f"{layer.dead:.0%} of the units of layer {layer.node} are 0 for every row, and "
                "cannot learn",
                "try a smaller learning rate, biases of 0, leaky_relu or BatchNormalization",
                layer.index,
            )


def _saturated(layers: Sequence[LayerMeasures]) -> Iterator[Finding]:
    for layer in layers:
        if layer.saturated is not None and layer.saturated >= _SATURATED:
            yield Finding(
                "saturated_units",
                f"{layer.saturated:.0%} of the outputs of layer {layer.node} are where its "
                "activation is flat",
                "scale the inputs, take the default initialisation, relu or BatchNormalization",
                layer.index,
            )


def data_findings(data: DataMeasures, names: Sequence[str]) -> list[Finding]:
    """Return what is wrong with the rows; `names` are those of the columns, if there are any."""
    found = []
    if data.not_finite:
        shown = _columns(data.not_finite, names)
        text = f"x has NaN or infinity in {shown}, which fit refuses"
        found.append(Finding("not_finite", text, "fill them in, or leave these rows out"))
    if data.largest_scale > _LARGE_INPUT:
        text = f"inputs reach the first weights with a root mean square of {data.largest_scale:.3g}"
        advice = "begin the network with Normalization(), or Rescaling(1 / 255) for bytes"
        found.append(Finding("unscaled_inputs", text, advice))
    elif 0.0 < data.largest_scale < _SMALL_INPUT:
        text = f"inputs are {data.largest_scale:.1e} at most in root mean square, near to nothing"
        found.append(Finding("unscaled_inputs", text, "begin the network with Normalization()"))
    if data.duplicated:
        pairs = ", ".join(f"{_name(b, names)} = {_name(a, names)}" for a, b in data.duplicated[:4])
        more = ", ..." if len(data.duplicated) > 4 else ""
        text = f"{len(data.duplicated)} columns repeat others: {pairs}{more}"
        found.append(Finding("duplicated_columns", text, "drop them"))
    if len(data.constant) > data.columns / 2:
        text = f"{len(data.constant)} of {data.columns} columns never vary"
        found.append(Finding("constant_columns", text, "drop them"))
    found += _class_findings(data)
    if data.target_scale is not None and data.target_scale > _LARGE_TARGET:
        text = f"targets are {data.target_scale:.3g} in root mean square"
        advice = "fit to (y - y.mean()) / y.std(), and undo that for predictions"
        found.append(Finding("unscaled_targets", text, advice))
    return found


def _class_findings(data: DataMeasures) -> Iterator[Finding]:
    shares = data.class_shares
    if shares is None or len(shares) < 2:
        return
    rarest, even = int(shares.argmin()), 1.0 / len(shares)
    if shares[rarest] <= _RARE * even:
        text = f"class {rarest} has {shares[rarest]:.1%} of the rows, and {even:.1%} would be even"
        advice = 'try class_weight="balanced", and measure f1 or a confusion matrix'
        yield Finding("imbalanced_classes", text, advice)


def _columns(columns: Sequence[int], names: Sequence[str]) -> str:
    shown = ", ".join(_name(column, names) for column in columns[:5])
    return f"column{'s' * (len(columns) > 1)} {shown}{', ...' if len(columns) > 5 else ''}"


def _name(column: int, names: Sequence[str]) -> str:
    return repr(names[column]) if names else str(column)


def rate_findings(trial: RateTrial, curvature: Curvature | None) -> list[Finding]:
    """Return whether the learning rate is far too high or far too low."""
    if not np.isfinite(trial.before):
        return []
    advice = _RATE_ADVICE
    if curvature is not None and curvature.applies:
        advice = (
            f"the largest curvature is {curvature.largest:.3g}, so plain gradient descent diverges "
            f"at rates above 2 / {curvature.largest:.3g} = {curvature.highest_rate:.2g}; {advice}"
        )
    scale = max(abs(trial.before), abs(trial.of_zeros))
    fall = trial.before - trial.after
    slower = max(trial.before - loss for factor, loss in trial.others.items() if factor < 1.0)
    faster = max(trial.before - loss for factor, loss in trial.others.items() if factor > 1.0)
    if not fall > -_RISES * scale or (fall <= 0.0 and slower > _FALLS * scale):
        text = (
            f"the learning rate {trial.rate:g} is too high: within 20 steps the loss goes from "
            f"{trial.before:.3g} to {trial.after:.3g}"
        )
        return [Finding("learning_rate_too_high", text, advice)]
    if faster > _FALLS * scale and fall < _SLOW * faster:
        text = (
            f"the learning rate {trial.rate:g} is too low: 20 steps change the loss by "
            f"{-fall:.1e}, at larger rates by {-faster:.1e}"
        )
        return [Finding("learning_rate_too_low", text, advice)]
    if (
        curvature is not None
        and curvature.applies
        and trial.rate > _UNSTABLE * curvature.highest_rate
    ):
        text = (
            f"the learning rate {trial.rate:g} is too high: it is "
            f"{trial.rate / curvature.highest_rate:.2g} times what the curvature allows"
        )
        return [Finding("learning_rate_too_high", text, advice)]
    return []


_RATE_ADVICE = "chainrule.find_learning_rate tries them all"
