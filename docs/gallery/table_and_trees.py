# SPDX-License-Identifier: Apache-2.0
r"""
A table with missing values, against gradient boosting
======================================================

Rows of numbers and words with holes in them are where gradient boosting of decision trees is hard to
beat. `TabularRegressor` and `TabularClassifier` take such a table as it is too: numbers are scaled by
their median and quartiles, a missing one becomes the median and is marked in a column of its own, words
become columns or trained numbers, and a recipe that was made for tables does the training. When is that
the better choice?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from chainrule.sklearn import TabularRegressor

rng = np.random.default_rng(0)
quarters = np.array(["Abbey", "Docks", "Hill", "Mill", "Park", "Station"])
heatings = np.array(["gas", "heat pump", "oil"])

# %%
# Homes, and two numbers to learn of them
# ---------------------------------------
# The rent changes *smoothly* with the area and the way to the centre, and each quarter has its own level. The
# tax goes by *steps*: so much for each band of area, more for what was built after 1990.


def homes(rows):
    """Return columns of numbers and words, rents and taxes."""
    area = rng.lognormal(4.2, 0.4, rows)
    built = rng.integers(1900, 2024, rows).astype(float)
    way = rng.gamma(2.0, 2.0, rows)
    quarter, heating = rng.integers(0, 6, rows), rng.integers(0, 3, rows)
    level = np.array([12.0, 8.0, 15.0, 9.0, 14.0, 7.0])[quarter]
    rent = area**0.9 * level * np.exp(-0.06 * way) * (1 + 0.1 * np.cos((built - 1900) / 20))
    bands = np.searchsorted([40, 60, 80, 110], area)
    tax = 100.0 * bands + 80.0 * (built > 1990) * (heating != 2) + 60.0 * (way < 3)
    x = np.empty((rows, 5), dtype=object)
    for column, values in enumerate([area, built, way, quarters[quarter], heatings[heating]]):
        x[:, column] = values
    noise = rng.normal(size=(2, rows))
    return x, {"rent": rent + 40.0 * noise[0], "tax": tax + 15.0 * noise[1]}


def with_holes(x):
    """Return a copy that lacks some values; the heating of old homes is unknown."""
    x = x.copy()
    x[rng.random(len(x)) < 0.1, 1] = None
    x[rng.random(len(x)) < 0.1, 2] = None
    old = np.array([built is not None and built < 1930 for built in x[:, 1]])
    x[old, 4] = None
    return x


x_train, y_train = homes(1000)
x_test, y_test = homes(2000)
x_train, x_test = with_holes(x_train), with_holes(x_test)
print(x_train[:4])

# %%
# One side takes the table as it is. For the other, words become codes, and trees are told that they are codes.


def boosting():
    """Return gradient boosting at its defaults, behind codes for words."""
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((codes, [3, 4]), remainder="passthrough")
    return make_pipeline(columns, HistGradientBoostingRegressor(random_state=0))


def network():
    """Return the network of the recipe at its defaults."""
    return TabularRegressor(random_state=0)


models = {}
scores = {}
for target in ("rent", "tax"):
    for name, make in (("network", network), ("boosting", boosting)):
        models[target, name] = make().fit(x_train, y_train[target])
        scores[target, name] = r2_score(y_test[target], models[target, name].predict(x_test))
        print(f"{target}: R2 of {name} on new homes {scores[target, name]:.3f}")

# %%
# Why
# ---
# The same home, larger and larger. A tree can only cut a column in two, so a smooth curve becomes a staircase,
# whose steps need rows of their own. A network has it the other way round: its curves are smooth, and a step is
# what it has to strain for.

areas = np.linspace(25, 150, 400)
one = np.empty((400, 5), dtype=object)
for column, value in enumerate([None, 2000.0, 2.0, "Hill", "gas"]):
    one[:, column] = value
one[:, 0] = areas
truth = {
    "rent": areas**0.9 * 15.0 * np.exp(-0.12) * (1 + 0.1 * np.cos(5.0)),
    "tax": 100.0 * np.searchsorted([40, 60, 80, 110], areas) + 140.0,
}
fig, axes = plt.subplots(1, 2, figsize=(9.5, 4), layout="constrained")
for ax, target in zip(axes, truth, strict=True):
    ax.plot(areas, truth[target], color="0.7", linewidth=5, label="truth")
    for name, color in (("boosting", "#c8501e"), ("network", "#1f6fb2")):
        label = f"{name}, R2 {scores[target, name]:.3f}"
        ax.plot(areas, models[target, name].predict(one), color=color, label=label)
    ax.set(title=target, xlabel="area")
    ax.grid(alpha=0.3)
    ax.legend()
plt.show()

# %%
# Holes
# -----
# Rows that lack a value are harder for both, since what is not there cannot be known.

lacking = np.array([any(value is None for value in row) for row in x_test])
for name in ("network", "boosting"):
    told = models["rent", name].predict(x_test)
    full = r2_score(y_test["rent"][~lacking], told[~lacking])
    holed = r2_score(y_test["rent"][lacking], told[lacking])
    print(f"rent, {name}: R2 of full rows {full:.3f}, of rows with holes {holed:.3f}")

# %%
# What the network made of the columns: how much the error rises when one of them is shuffled.

names = ["area", "built", "way", "quarter", "heating"]
for target in ("rent", "tax"):
    found = zip(names, models[target, "network"].feature_importances_, strict=True)
    print(f"{target}: " + ", ".join(f"{name} {value:.0f}" for name, value in found))

# %%
# So neither is the better one as such. Where columns act smoothly and together, a network needs fewer rows; where
# they act by thresholds, or where most columns say nothing, trees do. Trees are also trained sooner, and a tuned
# ensemble of them is a hard opponent everywhere. It costs little to try both: ``chainrule train --data homes.csv
# --target rent`` does one side from the command line.
