# SPDX-License-Identifier: Apache-2.0
r"""
An amplifier from its sound
===========================

A guitar amplifier bends the waveform and filters it, and both are why it is liked. Whoever has a signal
that goes in and what comes out can have a network learn what is between. Two kinds of networks suit.

A *causal convolution* sees the last samples and none of the future. With kernels of 3 whose *dilation*
doubles from layer to layer, few layers see far:

.. math:: y_t = b + \sum_{k=0}^{2} x_{t - k d} \, W_k, \quad \text{samples seen} = 1 + 2 \, (1 + 2 + 4 + \cdots + 2^{n-1})

A *GRU* sees one sample at a time and remembers what it needs. There is no end to how far it can.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

RATE = 8000  # samples in a second
rng = np.random.default_rng(0)


def string(frequency, seconds):
    """Return a plucked string after Karplus and Strong: noise that goes round through a mean."""
    period = int(RATE / frequency)
    samples = np.zeros(int(RATE * seconds))
    samples[:period] = rng.uniform(-1, 1, period)
    for t in range(period + 1, len(samples)):
        samples[t] = samples[t] + 0.498 * (samples[t - period] + samples[t - period - 1])
    return samples


def melody(notes):
    """Return plucked strings one after the other, with chords between them."""
    base = 82.4 * 2 ** (rng.choice([0, 3, 5, 7, 10, 12, 15, 17], notes) / 12)
    parts = [string(f, 0.4) + string(1.5 * f, 0.4) * (i % 3 == 0) for i, f in enumerate(base)]
    return np.concatenate([part * rng.uniform(0.3, 1) for part in parts])


def low_pass(signal, frequency):
    """Return what a resistor and a capacitor leave of a signal."""
    share = 1 - np.exp(-2 * np.pi * frequency / RATE)
    out, state = np.empty_like(signal), 0.0
    for t, value in enumerate(signal):
        state += share * (value - state)
        out[t] = state
    return out


def amplifier(signal):
    """Return what a stage of a tube amplifier, roughly, makes of a signal."""
    tight = signal - low_pass(signal, 120.0)  # less bass
    bent = np.tanh(6 * tight + 0.3) - np.tanh(0.3)  # not the same above as below
    return low_pass(bent, 1500.0)  # the loudspeaker


clean, test = melody(20), melody(6)
target, test_target = amplifier(clean), amplifier(test)

# %%
# Rows
# ----
# The recording is cut into overlapping pieces of 512 samples. A piece begins with a network that has
# heard nothing, so its first 64 samples are none of its fault: their weight in the loss is 0.

LENGTH, COLD = 512, 64


def pieces(signal):
    """Return overlapping pieces of shape (rows, time, 1)."""
    starts = np.arange(0, len(signal) - LENGTH + 1, LENGTH - COLD)
    return signal[starts[:, np.newaxis] + np.arange(LENGTH)][:, :, np.newaxis].astype(np.float32)


x, t = pieces(clean), pieces(target)
weights = np.zeros((len(x), LENGTH))
weights[:, COLD:] = 1


def convolutions():
    """Return causal convolutions that see 63 samples."""
    h = [
        cr.Conv1D(12, 3, padding="causal", dilation=2**level, activation="tanh")
        for level in range(5)
    ]
    return cr.Sequential([cr.Input((LENGTH, 1)), *h, cr.Dense(1)], seed=0)


def recurrent():
    """Return a GRU that gives its state at each sample."""
    return cr.Sequential(
        [cr.Input((LENGTH, 1)), cr.GRU(16, return_sequences=True), cr.Dense(1)], seed=0
    )


# %%
# The customary measure is the energy of the error over the energy of the signal:
#
# .. math:: \text{ESR} = \frac{\sum_t (y_t - \hat y_t)^2}{\sum_t y_t^2}

x_test, t_test = pieces(test), pieces(test_target)


def esr(outputs):
    """Return the error-to-signal ratio behind the cold beginnings."""
    error = (outputs - t_test)[:, COLD:]
    return np.sum(error**2) / np.sum(t_test[:, COLD:] ** 2)


print(f"the best gain alone: {esr(x_test * np.vdot(x, t) / np.vdot(x, x)):.3f}")
nets = {"causal convolutions": convolutions(), "GRU": recurrent()}
for name, net in nets.items():
    net.fit(
        x,
        t,
        loss="mse",
        optimizer=cr.Adam(cr.schedules.OneCycle(1e-2, epochs=60), clip_norm=1.0),
        epochs=60,
        batch_size=16,
        sample_weight=weights,
        metrics=[],
        verbose=0,
    )
    print(f"{name}: {net.count_params()} parameters, ESR {esr(net.predict(x_test)):.4f}")

fig, (top, bottom) = plt.subplots(2, 1, figsize=(10, 4.8), layout="constrained", sharex=True)
shown = slice(COLD, COLD + 200)
times = np.arange(200) / RATE * 1000
row = 9  # within a note
top.plot(times, x_test[row, shown, 0], color="0.5", label="in")
top.plot(times, t_test[row, shown, 0], color="black", label="out")
for (name, net), color in zip(nets.items(), ["#c8501e", "#1f6fb2"], strict=True):
    outputs = net.predict(x_test[row : row + 1])[0, shown, 0]
    top.plot(times, outputs, "--", color=color, label=name)
    bottom.plot(times, outputs - t_test[row, shown, 0], color=color, label=name)
top.set(ylabel="signal")
bottom.set(xlabel="milliseconds", ylabel="error")
for ax in (top, bottom):
    ax.grid(alpha=0.3)
    ax.legend(loc="upper right", fontsize=8)
plt.show()

# %%
# Both are close to an amplifier that they know by its sound alone. The convolutions come closer, with twice
# the weights, but what lies more than 63 samples back, 8 milliseconds, they cannot know: a slower filter
# than these would need more layers. The GRU keeps 16 numbers from sample to sample and needs no window.

# %%
# Block by block in C++
# ---------------------
# A sound card asks for the next few samples again and again, and for as long as somebody plays. A
# ``StreamingPredictor`` takes what comes, keeps what the network needs of it for later samples, and allocates
# nothing. This program reads a network that Python has saved and sends sound through it in blocks of 64
# samples, 8 milliseconds each:

program = r"""
#include <algorithm>
#include <array>
#include <chainrule/model_file.hpp>
#include <chainrule/streaming_predictor.hpp>
#include <chrono>
#include <cstdio>
#include <span>
#include <vector>

// usage: amplifier model.safetensors < in > out, both float32
int main(int, char** argv) {
  using Clock = std::chrono::steady_clock;
  const auto model = chainrule::load_model<float>(argv[1]);
  const chainrule::StreamingPredictor<float> predictor(model.network);
  chainrule::StreamingPredictor<float>::StreamState state(predictor);

  std::array<float, 64> block;
  std::vector<double> microseconds;
  while (const std::size_t samples = std::fread(block.data(), sizeof(float), block.size(), stdin)) {
    const std::span<float> sound(block.data(), samples);
    const Clock::time_point begun = Clock::now();
    predictor.step(sound, sound, state);  // where the last block ended
    const std::chrono::duration<double, std::micro> took = Clock::now() - begun;
    microseconds.push_back(took.count());
    std::fwrite(block.data(), sizeof(float), samples, stdout);
  }
  std::sort(microseconds.begin(), microseconds.end());
  std::fprintf(stderr, "%zu blocks, half of them in %.0f microseconds or less", microseconds.size(),
               microseconds[microseconds.size() / 2]);
}
"""

# %%
# The package has the library and its headers inside, which the compiler must be told:

folder = Path(tempfile.mkdtemp())
compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
if compiler is None:
    sys.exit("this lesson needs a C++ compiler")
package = next(path for path in map(Path, cr.__path__) if (path / "include").is_dir())
library = next((package / "lib").glob("libchainrule-*"))
(folder / "amplifier.cpp").write_text(program)
flags = ["-std=c++20", "-O1", "-DCHAINRULE_SHARED", "-I", str(package / "include")]
libraries = [str(library), f"-Wl,-rpath,{library.parent}"]
subprocess.run(
    [compiler, *flags, "amplifier.cpp", *libraries, "-o", "amplifier"], cwd=folder, check=True
)

# %%
# In Python, the same weights in a network as long as the whole melody tell what must come out. Where the
# sound is cut into blocks cannot be heard, nor found in any bit:

sound = test.astype(np.float32)
streamed = {}
for name, net in nets.items():
    net.save(folder / "net.safetensors")
    run = subprocess.run(
        ["./amplifier", "net.safetensors"],
        cwd=folder,
        input=sound.tobytes(),
        capture_output=True,
        check=True,
    )
    streamed[name] = np.frombuffer(run.stdout, np.float32)
    at_once = cr.Sequential([cr.Input((len(sound), 1)), *net.layers])
    at_once.set_weights(net.get_weights())
    same = np.array_equal(streamed[name], at_once.predict(sound[np.newaxis, :, np.newaxis]).ravel())
    print(f"{name}: {run.stderr.decode()}; equal to Python's in every bit: {same}")

fig, ax = plt.subplots(figsize=(10, 2.8), layout="constrained")
shown = slice(6400, 6400 + 6 * 64)
times = np.arange(shown.start, shown.stop) / RATE * 1000
ax.plot(times, test_target[shown], color="black", label="the amplifier")
for (name, outputs), color in zip(streamed.items(), ["#c8501e", "#1f6fb2"], strict=True):
    ax.plot(times, outputs[shown], "--", color=color, label=f"{name} in C++")
for edge in times[::64]:
    ax.axvline(edge, color="0.8", linewidth=0.8)
ax.set(xlabel="milliseconds, a line where a block begins", ylabel="signal")
ax.legend(loc="upper right", fontsize=8)
plt.show()

# %%
# A block may take 8 milliseconds, and takes a small part of one: there is time for a longer chain of effects.
# ``export_c(net, ..., streaming=True)`` writes the same as C for a device that has no C++ library.
