# SPDX-License-Identifier: Apache-2.0
"""Augmentation in plain NumPy and float64: random words, maps of the plane, resampling."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule import augment

Array = NDArray[Any]
USE = 5
LOW = 0xFFFFFFFF


def philox_block(counter: list[int], key: list[int]) -> list[int]:
    """Return the four words of Philox 4x32-10, by Python's integers."""
    for _ in range(10):
        first, second = counter[0] * 0xD2511F53, counter[2] * 0xCD9E8D57
        counter = [
            second >> 32 ^ counter[1] ^ key[0],
            second & LOW,
            first >> 32 ^ counter[3] ^ key[1],
            first & LOW,
        ]
        key = [(key[0] + 0x9E3779B9) & LOW, (key[1] + 0xBB67AE85) & LOW]
    return counter


def words(count: int, *, seed: int, epoch: int, row: int, place: int, item: int = 0) -> list[int]:
    """Return the random words of one augmentation of an image, the `place`-th of the list."""
    found: list[int] = []
    for block in range(-(-count // 4)):
        number = (item << 48 | place << 32) + block
        stream = epoch << 40 | row
        counter = [number & LOW, (number >> 32) << 8 & LOW | USE, stream & LOW, stream >> 32]
        found += philox_block(counter, [seed & LOW, seed >> 32])
    return found[:count]


def uniform(word: int) -> float:
    return (word + 0.5) / 2**32


def inverse(change: augment.Augmentation, drawn: list[int]) -> Array:
    """Return the matrix (3, 3) from a pixel's place about the centre to where it comes from."""
    u, v = uniform(drawn[0]), uniform(drawn[1])
    matrix = np.eye(3)
    if isinstance(change, augment.RandomShift):
        most = change.x, change.x if change.y is None else change.y
        for axis, (limit, draw) in enumerate(zip(most, (u, v), strict=True)):
            whole = np.floor(draw * (2 * limit + 1)) - limit
            matrix[axis, 2] = -((2 * draw - 1) * limit if change.subpixel else whole)
    elif isinstance(change, augment.RandomFlip):
        matrix[0, 0] = -1.0 if change.horizontal and u < 0.5 else 1.0
        matrix[1, 1] = -1.0 if change.vertical and v < 0.5 else 1.0
    elif isinstance(change, augment.RandomRotation):
        high = change.degrees[-1]
        low = change.degrees[0] if len(change.degrees) == 2 else -high
        angle = np.radians(low + (high - low) * u)
        matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    elif isinstance(change, augment.RandomZoom):
        matrix[:2, :2] /= change.low + (change.high - change.low) * u
    return matrix


def gaussian(sigma: float) -> Array:
    radius = int(3 * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return weights / weights.sum()


def smooth(field: Array, sigma: float) -> Array:
    """Return a field (height, width) smoothed along both axes, with zeros around it."""
    weights = gaussian(sigma)
    radius = len(weights) // 2
    for axis in (0, 1):
        border = [(radius, radius) if a == axis else (0, 0) for a in (0, 1)]
        wide = np.pad(field, border)
        field = sum(
            w * np.take(wide, range(k, k + field.shape[axis]), axis) for k, w in enumerate(weights)
        )
    return field


def displacement(change: augment.ElasticDeformation, shape: tuple[int, int], drawn: Any) -> Array:
    """Return the shifts (2, height, width) of columns and rows."""
    numbers = np.array(drawn, np.uint64)
    halves = numbers >> np.uint64(16), numbers & np.uint64(0xFFFF)
    fields = [((half + 0.5) / 2**15 - 1).reshape(shape) for half in halves]
    return change.alpha * np.stack([smooth(field, change.sigma) for field in fields])


def pixel(image: Array, row: int, column: int) -> Array:
    inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
    return image[row, column] if inside else np.zeros(image.shape[2])


def resampled(image: Array, matrix: Array, shifts: Array) -> Array:
    """Return an image (height, width, channels) whose pixels come from elsewhere in it."""
    height, width, _ = image.shape
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    out = np.empty_like(image)
    for i in range(height):
        for j in range(width):
            place = matrix @ [j - centre[0], i - centre[1], 1.0]
            x, y = place[:2] + centre + shifts[:, i, j]
            left, top = int(np.floor(x)), int(np.floor(y))
            right, down = x - left, y - top
            upper = (1 - right) * pixel(image, top, left) + right * pixel(image, top, left + 1)
            lower = (1 - right) * pixel(image, top + 1, left) + right * pixel(
                image, top + 1, left + 1
            )
            out[i, j] = (1 - down) * upper + down * lower
    return out


GEOMETRIC = (
    augment.RandomShift,
    augment.RandomFlip,
    augment.RandomRotation,
    augment.RandomZoom,
)


def moved(
    images: Array, changes: list[Any], *, seed: int = 0, epoch: int = 0, first_row: int = 0
) -> Array:
    """Return images (rows, height, width[, channels]) after changes of place."""
    out = []
    for row, given in enumerate(np.asarray(images, float), start=first_row):
        image = given.reshape(*given.shape[:2], -1)
        matrix, shifts = np.eye(3), np.zeros((2, *image.shape[:2]))
        for place, change in enumerate(changes):
            key = {"seed": seed, "epoch": epoch, "row": row, "place": place}
            if isinstance(change, augment.ElasticDeformation):
                drawn = words(image.shape[0] * image.shape[1], **key)
                shifts = shifts + displacement(change, image.shape[:2], drawn)
            elif isinstance(change, GEOMETRIC):
                matrix = matrix @ inverse(change, words(4, **key))
        out.append(resampled(image, matrix, shifts).reshape(given.shape))
    return np.array(out)
