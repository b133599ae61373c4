# SPDX-License-Identifier: Apache-2.0
"""MNIST and Fashion-MNIST, found on this machine or downloaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from chainrule.data.idx import idx_header, load_idx
from chainrule.errors import DataFileError
from chainrule.names import unknown_name

Part: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.int64]]

_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}


@dataclass(frozen=True)
class _Published:
    """A data set as its authors published it."""

    # `gzip_md5` are the checksums of the files as offered for download; `contents_md5` those of
    # what they hold, which stay the same when the files are unpacked or recompressed.

    title: str
    folder: str
    mirrors: Sequence[str]
    gzip_md5: dict[str, str]
    contents_md5: dict[str, str]


_MNIST = _Published(
    "MNIST",
    "mnist",
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    {
        "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
        "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
        "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
    },
    {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
)

_FASHION_MNIST = _Published(
    "Fashion-MNIST",
    "fashion-mnist",
    (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    {
        "train-images-idx3-ubyte": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "train-labels-idx1-ubyte": "25c81989df183df01b3e8a0aad5dffbe",
        "t10k-images-idx3-ubyte": "bef4ecab320f06d8554ea6380940ec79",
        "t10k-labels-idx1-ubyte": "bb300cfdad3c16e7a12a480ee83cd310",
    },
    {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
)


@overload
def load_mnist(
    split: None = None, directory: str | PathLike[str] | None = None
) -> tuple[Part, Part]: ...


@overload
def load_mnist(
    split: Literal["train", "test"], directory: str | PathLike[str] | None = None
) -> Part: ...


def load_mnist(
    split: Literal["train", "test"] | None = None,
    directory: str | PathLike[str] | None = None,
) -> tuple[Part, Part] | Part:
    """Return the MNIST handwritten digits: 60,000 to train on and 10,000 to test on.

    The four files [1]_, plain or compressed by gzip, are looked for in the folder that the
    environment variable ``CHAINRULE_DATA`` names, or its subfolder ``mnist``, and then in the
    cache, ``$XDG_CACHE_HOME/chainrule/mnist`` or ``~/.cache/chainrule/mnist``. If they are in
    neither they are downloaded to the cache by `pooch`.

    Parameters
    ----------
    split : {"train", "test"}, optional
        Return only this part.
    directory : path-like, optional
        Look here, or in its subfolder ``mnist``, and nowhere else; nothing is downloaded.

    Returns
    -------
    (x_train, y_train), (x_test, y_test) : tuple of tuple of ndarray
        Images as uint8 rows of 784 pixels, and int64 labels from 0 to 9. With `split` only that
        part's ``x, y``.

    Raises
    ------
    FileNotFoundError
        If a file is not found and cannot be downloaded; the text says what to do.
    DataFileError
        If a file is corrupt or is not the published one by its MD5 checksum.
    ValueError
        If `split` is unknown.

    References
    ----------
    .. [1] Y. LeCun, L. Bottou, Y. Bengio and P. Haffner (1998). Gradient-based learning applied to
       document recognition. Proceedings of the IEEE 86(11), 2278-2324.

    Examples
    --------
    >>> (x_train, y_train), (x_test, y_test) = load_mnist()  # doctest: +SKIP
    >>> x_train.shape, x_train.dtype  # doctest: +SKIP
    ((60000, 28, 28), dtype('uint8'))
    """
    return _load(_MNIST, split, directory)


@overload
def load_fashion_mnist(
    split: None = None, directory: str | PathLike[str] | None = None
) -> tuple[Part, Part]: ...


@overload
def load_fashion_mnist(
    split: Literal["train", "test"], directory: str | PathLike[str] | None = None
) -> Part: ...


def load_fashion_mnist(
    split: Literal["train", "test"] | None = None,
    directory: str | PathLike[str] | None = None,
) -> tuple[Part, Part] | Part:
    """Return the Fashion-MNIST images of clothes: 60,000 to train on and 10,000 to test on.

    Files [1]_ are found as by `load_mnist`, in folders called ``fashion-mnist``.

    Parameters, exceptions and what is returned are those of `load_mnist`; the classes are T-shirt,
    trouser, pullover, dress, coat, sandal, shirt, sneaker, bag and ankle boot.

    References
    ----------
    .. [1] H. Xiao, K. Rasul and R. Vollgraf (2017). Fashion-MNIST: a novel image dataset for
       benchmarking machine learning algorithms. arXiv:1708.07747.

    Examples
    --------
    >>> x_test, y_test = load_fashion_mnist("test")  # doctest: +SKIP
    >>> x_test.shape  # doctest: +SKIP
    (10000, 28, 28)
    """
    return _load(_FASHION_MNIST, split, directory)


def _load(
    published: _Published, split: str | None, directory: str | PathLike[str] | None
) -> tuple[Part, Part] | Part:
    if split is None:
        return _load_part(published, "train", directory), _load_part(published, "test", directory)
    if split not in _FILES:
        raise ValueError(unknown_name("split", split, _FILES))
    return _load_part(published, split, directory)


def _load_part(published: _Published, split: str, directory: str | PathLike[str] | None) -> Part:
    images, labels = (
        _load_checked(published, name, _locate(published, name, directory))
        for name in _FILES[split]
    )
    return images.reshape(len(images), -1), labels.astype(np.int64)


def _load_checked(published: _Published, name: str, file: Path) -> NDArray[Any]:
    import hashlib

    array = load_idx(file)
    digest = hashlib.md5(idx_header(array), usedforsecurity=False)
    digest.update(array.data)
    got, expected = digest.hexdigest(), published.contents_md5[name]
    if got != expected:
        raise DataFileError(
            f"{file}: not the {published.title} file {name}: the MD5 checksum of its contents is "
            f"{got}, expected {expected}"
        )
    return array


def _locate(published: _Published, name: str, directory: str | PathLike[str] | None) -> Path:
    cache = _cache_folder() / published.folder
    if directory is not None:
        folders = _with_subfolder(published, Path(directory))
    else:
        data = os.environ.get("CHAINRULE_DATA")
        folders = [*(_with_subfolder(published, Path(data)) if data else []), cache]
    for folder in folders:
        for file in (folder / f"{name}.gz", folder / name):
            if file.is_file():
                return file
    looked = f"{published.title} file {name}.gz is not in {', '.join(map(str, folders))}"
    if directory is not None:
        raise FileNotFoundError(looked)
    return _download(published, name, cache, looked)


def _with_subfolder(published: _Published, folder: Path) -> list[Path]:
    return [folder / published.folder, folder]


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "chainrule"


def _download(published: _Published, name: str, cache: Path, looked: str) -> Path:
    remedy = "set CHAINRULE_DATA to the folder that holds it"
    try:
        import pooch
    except ImportError:
        raise FileNotFoundError(
            f'{looked}; {remedy}, or let it be downloaded after pip install "chainrule[data]"'
        ) from None
    file = f"{name}.gz"
    failures = []
    altered = False
    for mirror in published.mirrors:
        try:
            return Path(
                pooch.retrieve(mirror + file, f"md5:{published.gzip_md5[name]}", file, cache)
            )
        except ValueError as error:  # pooch's way to report a wrong checksum
            altered = True
            failures.append(f"{mirror}{file}: {error}")
        except OSError as error:
            failures.append(f"{mirror}{file}: {error}")
    report = "; ".join(failures)
    if altered:
        raise DataFileError(report)
    raise FileNotFoundError(f"{looked} and no mirror has it ({report}); {remedy}")
