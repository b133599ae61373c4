# SPDX-License-Identifier: Apache-2.0
"""Augmented images against plain NumPy, and what augmentations refuse."""

from __future__ import annotations

import re
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from augmented import moved, uniform, words

from chainrule import augment

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (5, 9, 12)).astype(np.uint8)
COLOURED = RANDOM.random((3, 8, 6, 3))
EVERY: list[Any] = [
    augment.RandomShift(2),
    augment.RandomShift(1.5, 0.25, subpixel=True),
    augment.RandomFlip(),
    augment.RandomFlip(vertical=True),
    augment.RandomRotation(30),
    augment.RandomRotation((170, 500)),
    augment.RandomZoom(0.6, 1.7),
    augment.ElasticDeformation(1.5, 9),
    augment.ElasticDeformation(),
]
IDENTITIES: list[Any] = [
    augment.RandomShift(0),
    augment.RandomShift(0, subpixel=True),
    augment.RandomFlip(horizontal=False),
    augment.RandomRotation(0),
    augment.RandomRotation((360, 360)),
    augment.RandomZoom(1, 1),
    augment.ElasticDeformation(2, 0),
    augment.RandomBrightness(0),
    augment.PixelNoise(0),
]


def close(given: Any, expected: Any) -> None:
    """Compare float64 images; what lies between two pixels is continuous, so rounding is all."""
    np.testing.assert_allclose(given, expected, rtol=0, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("images", [IMAGES, COLOURED], ids=["grey", "coloured"])
@pytest.mark.parametrize("change", EVERY, ids=repr)
def test_changes_of_place_are_those_of_numpy(change: Any, images: Any) -> None:
    key = {"seed": 2**63 + 11, "epoch": 3, "first_row": 70}
    close(augment.apply(images, [change], **key, dtype="float64"), moved(images, [change], **key))


@pytest.mark.parametrize("order", [1, -1])
def test_changes_of_place_are_one_map_in_the_order_of_the_list(order: int) -> None:
    changes = EVERY[::order]
    expected = moved(IMAGES, changes, seed=5)
    close(augment.apply(IMAGES, changes, seed=5, dtype="float64"), expected)
    single = augment.apply(IMAGES, changes, seed=5)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, expected, rtol=0, atol=255 * 2e-4)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("change", IDENTITIES, ids=repr)
def test_identities_change_no_bit(change: Any, dtype: str) -> None:
    for images in (IMAGES, COLOURED.astype(dtype)):
        np.testing.assert_array_equal(augment.apply(images, [change], dtype=dtype), images)


def test_shifts_by_whole_pixels_fill_with_zeros() -> None:
    many = np.broadcast_to(IMAGES[:1], (300, 9, 12))
    shifted = augment.apply(many, [augment.RandomShift(2, 1)])
    expected = {}
    for right in range(-2, 3):
        for down in range(-1, 2):
            image = np.roll(np.pad(IMAGES[0], 4), (down, right), (0, 1))[4:-4, 4:-4]
            expected[image.astype(np.float32).tobytes()] = (right, down)
    seen = [expected[image.tobytes()] for image in shifted]
    assert set(seen) == set(expected.values())


def test_flips_reverse_columns_and_rows() -> None:
    many = np.broadcast_to(COLOURED[:1], (400, *COLOURED.shape[1:]))
    flipped = augment.apply(many, [augment.RandomFlip(vertical=True)], dtype="float64")
    of = {COLOURED[0][::a, ::b].tobytes(): (a, b) for a in (1, -1) for b in (1, -1)}
    counts = np.unique([of[image.tobytes()] for image in flipped], axis=0, return_counts=True)[1]
    assert len(counts) == 4
    assert (abs(counts - 100) < 5 * np.sqrt(400 * 3 / 16)).all()


@pytest.mark.parametrize("turns", range(-5, 6))
def test_right_angles_are_numpys_rot90(turns: int) -> None:
    square = IMAGES[:, :, :9]
    turned = augment.apply(square, [augment.RandomRotation((90 * turns, 90 * turns))])
    np.testing.assert_array_equal(turned, np.rot90(square, turns, (1, 2)))


def test_an_image_far_away_is_empty() -> None:
    far = [augment.RandomShift(1e6, subpixel=True)] * 3
    images = augment.apply(np.full((20, 4, 4), 7.0), far)
    assert not images.any()


def test_brightness_is_one_factor_an_image() -> None:
    brighter = augment.apply(IMAGES, [augment.RandomBrightness(0.4)], seed=9, dtype="float64")
    drawn = [words(1, seed=9, epoch=0, row=row, place=0)[0] for row in range(len(IMAGES))]
    factors = np.array([0.6 + 0.8 * uniform(word) for word in drawn])
    np.testing.assert_allclose(brighter, IMAGES * factors[:, None, None], rtol=1e-14)


@pytest.mark.parametrize("size", [1, 2, 5, 40])
def test_cut_out_is_a_square_of_zeros(size: int) -> None:
    images = COLOURED + 1.0
    expected = images.copy()
    for row, image in enumerate(expected):
        first, second = words(2, seed=4, epoch=1, row=row, place=1)
        i, j = int(uniform(first) * 8) - size // 2, int(uniform(second) * 6) - size // 2
        image[max(i, 0) : i + size, max(j, 0) : j + size] = 0.0
    changes = [augment.RandomShift(0), augment.CutOut(size)]
    given = augment.apply(images, changes, seed=4, epoch=1, dtype="float64")
    np.testing.assert_array_equal(given, expected)


def test_noise_is_the_normal_quantile_of_the_words() -> None:
    noise = augment.apply(np.zeros((2, 3, 5)), [augment.PixelNoise(0.25)], seed=8, dtype="float64")
    drawn = [words(15, seed=8, epoch=0, row=row, place=0) for row in range(2)]
    quantiles = [[NormalDist(0, 0.25).inv_cdf(uniform(word)) for word in row] for row in drawn]
    np.testing.assert_allclose(noise.reshape(2, 15), quantiles, rtol=1e-8)


def test_values_follow_places_whatever_the_order_of_the_list() -> None:
    values = [augment.RandomBrightness(0.4), augment.CutOut(3), augment.PixelNoise(5)]
    # The random numbers of each are those of its place in the list.
    first = augment.apply(IMAGES, [*values, augment.RandomRotation((20, 20))])
    rotated = augment.apply(IMAGES, [augment.RandomRotation((20, 20))])
    np.testing.assert_array_equal(first, augment.apply(rotated, values))


def test_displacements_are_as_large_as_they_are_said_to_be() -> None:
    shape = (64, 64)
    ramp = np.broadcast_to(np.arange(64.0), (200, *shape))
    sigma, alpha = 4.0, 34.0
    inside = slice(20, -20)
    deformed = augment.apply(ramp, [augment.ElasticDeformation(sigma, alpha)], dtype="float64")
    shifts = (deformed - ramp)[:, inside, inside]
    expected = alpha * np.sqrt(1 / 3) / (2 * np.sqrt(np.pi) * sigma)
    assert abs(shifts.std() / expected - 1) < 0.05
    assert abs(shifts.mean()) < 0.1
    # Neighbours move together, and pixels far apart do not.
    near = np.corrcoef(shifts[:, 5, 5], shifts[:, 5, 6])[0, 1]
    assert near > 0.95
    assert abs(np.corrcoef(shifts[:, 0, 0], shifts[:, -1, -1])[0, 1]) < 0.3


def test_an_image_depends_on_its_row_and_epoch_alone() -> None:
    changes = [EVERY[1], EVERY[4], EVERY[7], augment.CutOut(3), augment.PixelNoise(1)]
    same = np.broadcast_to(IMAGES[:1], (6, 9, 12))
    all_at_once = augment.apply(same, changes, seed=3, epoch=2)
    for row in range(6):
        alone = augment.apply(same[:1], changes, seed=3, epoch=2, first_row=row)
        np.testing.assert_array_equal(alone[0], all_at_once[row])
    assert len({image.tobytes() for image in all_at_once}) == 6
    for other in ({"seed": 4, "epoch": 2}, {"seed": 3, "epoch": 1}):
        assert (augment.apply(same, changes, **other) != all_at_once).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64, np.float32, bool])
def test_images_of_any_type_and_layout(dtype: Any) -> None:
    images = (IMAGES % 2).astype(dtype)
    expected = augment.apply(images.astype(float), EVERY)
    np.testing.assert_array_equal(augment.apply(images, EVERY), expected)
    np.testing.assert_array_equal(augment.apply(images.tolist(), EVERY), expected)
    wide = np.repeat(images, 2, axis=0)[::2]
    np.testing.assert_array_equal(augment.apply(wide, EVERY), expected)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: augment.RandomShift(-1), "x must be in [0, 1e6], got -1"),
        (lambda: augment.RandomShift(0.5), "x must be a whole number of pixels unless subpixel"),
        (lambda: augment.RandomShift(1, 0.5), "y must be a whole number of pixels unless subpixel"),
        (lambda: augment.RandomShift(np.nan), "x must be finite and in [0, 1e6], got nan"),
        (lambda: augment.RandomRotation(-1), "degrees must be >= 0, or two numbers, got -1"),
        (lambda: augment.RandomRotation([]), "degrees must be one number or two, got 0"),
        (lambda: augment.RandomRotation((3, 2, 1)), "degrees must be one number or two, got 3"),
        (lambda: augment.RandomRotation((3, 2)), "degrees must not fall, got 3 before 2"),
        (lambda: augment.RandomZoom(2, 1), "low must be <= high, got low 2 and high 1"),
        (lambda: augment.RandomZoom(0, 1), "low must be in [0.001, 1000], got 0"),
        (lambda: augment.ElasticDeformation(0), "sigma must be in (0, 1000], got 0"),
        (lambda: augment.ElasticDeformation(4, -1), "alpha must be in [0, 1e6], got -1"),
        (lambda: augment.RandomBrightness(1.5), "factor must be in [0, 1], got 1.5"),
        (lambda: augment.CutOut(0), "size must be >= 1, got 0"),
        (lambda: augment.PixelNoise(-0.1), "stddev must be >= 0, got -0.1"),
        (lambda: augment.get("random_flips"), "did you mean 'random_flip'?"),
    ],
)
def test_options_out_of_range_are_refused(make: Any, text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        make()


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: augment.RandomShift("a"), ValueError, "x must be a number, got 'a'"),
        (lambda: augment.CutOut(1.5), (TypeError, ValueError), "size must be"),
        (lambda: augment.RandomFlip(horizontal=2), (TypeError, ValueError), "horizontal must be"),
        (
            lambda: augment.apply(IMAGES, augment.CutOut(2)),
            TypeError,
            "augmentations must be a list",
        ),
        (lambda: augment.apply(IMAGES, [3]), TypeError, "expected an augmentation"),
        (lambda: augment.apply(IMAGES, [augment.CutOut]), TypeError, "pass CutOut(...)"),
        (lambda: augment.apply(IMAGES[0], []), ValueError, "images has shape (9, 12)"),
        (lambda: augment.apply(IMAGES[:0], []), ValueError, "images is empty"),
        (lambda: augment.apply([[["a"]]], []), TypeError, "images"),
        (lambda: augment.apply(IMAGES, [], seed=-1), ValueError, "seed"),
        (lambda: augment.apply(IMAGES, [], epoch=-1), ValueError, "epoch must be >= 0"),
        (lambda: augment.apply(IMAGES, [], first_row=0.5), TypeError, "first_row must be"),
        (lambda: augment.apply(IMAGES, [], dtype="int8"), ValueError, "dtype must be"),
    ],
)
def test_wrong_arguments_are_refused(make: Any, error: Any, text: str) -> None:
    with pytest.raises(error, match=re.escape(text)):
        make()
