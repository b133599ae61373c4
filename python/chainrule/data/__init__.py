# SPDX-License-Identifier: Apache-2.0
"""Reading, encoding, dividing and batching of data."""

from typing import TYPE_CHECKING

from chainrule.data.batches import batches as batches
from chainrule.data.csv import Table as Table
from chainrule.data.csv import load_csv as load_csv
from chainrule.data.digits import load_digits as load_digits
from chainrule.data.encoding import one_hot as one_hot
from chainrule.data.idx import load_idx as load_idx
from chainrule.data.idx import save_idx as save_idx
from chainrule.data.mnist import load_fashion_mnist as load_fashion_mnist
from chainrule.data.mnist import load_mnist as load_mnist
from chainrule.data.npy import load_npy as load_npy
from chainrule.data.npy import load_npz as load_npz
from chainrule.data.sequences import pad_sequences as pad_sequences
from chainrule.data.split import train_test_split as train_test_split
from chainrule.data.svmlight import load_svmlight as load_svmlight
from chainrule.data.svmlight_writer import save_svmlight as save_svmlight
from chainrule.names import module_attributes

__all__ = [
    "Table",
    "batches",
    "load_csv",
    "load_digits",
    "load_fashion_mnist",
    "load_idx",
    "load_mnist",
    "load_npy",
    "load_npz",
    "load_svmlight",
    "one_hot",
    "pad_sequences",
    "save_idx",
    "save_svmlight",
    "train_test_split",
]

if not TYPE_CHECKING:  # which would take every attribute for defined
    __getattr__, __dir__ = module_attributes(__name__, __all__)
