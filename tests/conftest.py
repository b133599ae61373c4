# SPDX-License-Identifier: Apache-2.0
"""Data and seeds that several tests share."""

from __future__ import annotations

import gc
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

# They need cosmic-ray, and change the source.
collect_ignore = ["mutation"]


_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Leave the tests of a file to one process, so that what they share is made once."""
    from xdist.scheduler import LoadFileScheduling

    return LoadFileScheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Look for no garbage, here and later, among the millions of objects that stay."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


@pytest.fixture
def rng():
    """Return a generator of the same numbers for every test."""
    return np.random.default_rng(20240607)


@pytest.fixture
def default_signals():
    """Let signals do what they do by default: a parent (nohup, a job control) may ignore them."""
    ends = {"SIGHUP": signal.SIG_DFL, "SIGTERM": signal.SIG_DFL}
    ends["SIGINT"] = signal.default_int_handler
    numbers = {getattr(signal, name): end for name, end in ends.items() if hasattr(signal, name)}
    before = {number: signal.signal(number, end) for number, end in numbers.items()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def mnist():
    """Return ((x, y), (x, y)) of MNIST, or skip where its files are not at hand."""
    import chainrule as cr

    folder = os.environ.get("CHAINRULE_DATA")
    if not folder:
        pytest.skip("MNIST: set CHAINRULE_DATA to the folder that holds mnist/")
    try:
        return cr.data.load_mnist(directory=folder)
    except FileNotFoundError as error:
        pytest.skip(f"MNIST: {error}")


def pytest_terminal_summary(terminalreporter):
    """Write what was skipped for want of PyTorch to a file, for a later run that has it."""
    path = os.environ.get("CHAINRULE_SKIPPED_WITHOUT_TORCH")
    if not path:
        return
    skipped = terminalreporter.stats.get("skipped", [])
    names = {report.nodeid for report in skipped if "'torch'" in str(report.longrepr)}
    Path(path).write_text("".join(f"{name}\n" for name in sorted(names)), encoding="utf-8")


@pytest.fixture(scope="module")
def browser():
    """Return headless Chromium; the tests that ask for it are skipped where there is none."""
    playwright = pytest.importorskip("playwright.sync_api")
    path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
