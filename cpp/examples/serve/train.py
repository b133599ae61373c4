# SPDX-License-Identifier: Apache-2.0
"""Train a classifier in Python for the program beside this one.

Writes to the folder given: ``digits.safetensors``, ``rows.csv`` with rows that it has not seen, and
``answers.csv`` with what Python predicts for them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import chainrule as cr

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
x, y = cr.data.load_digits()
new = x[1500:]

net = cr.Sequential(
    [cr.Normalization(), cr.Dense(64, activation="relu"), cr.Dropout(0.2), cr.Dense(10)], seed=1
)
net.fit(x[:1500], y[:1500], loss="cross_entropy", epochs=20, verbose=0)
print(f"accuracy on new rows: {net.evaluate(new, y[1500:])['accuracy']:.3f}")
net.save(folder / "digits.safetensors")

with (folder / "rows.csv").open("w", encoding="ascii") as file:
    for row in new:
        file.write(",".join(f"{value:g}" for value in row) + "\n")
with (folder / "answers.csv").open("w", encoding="ascii") as file:
    for probabilities in net.predict_proba(new):
        label = int(probabilities.argmax())
        file.write(f"{label},{float(probabilities[label]):.9g}\n")
