# SPDX-License-Identifier: Apache-2.0
"""Learns to balance a pole on a cart by double deep Q-learning: python examples/cart_pole.py.

The environment is Barto, Sutton and Anderson's, as in Gymnasium's CartPole-v1: it ends after 500
steps or when the pole falls. Training is over when none of 20 poles falls. Two calls are what
reinforcement learning needs beside `predict`: a step by hand, whose gradient only the chosen
actions have, and `interpolate`, which lets a target network follow slowly.
"""

from __future__ import annotations

import copy
import math
import time

import numpy as np
from numpy.typing import NDArray

import chainrule as cr

LENGTH = 500


class CartPole:
    """A cart on a track with a pole on it; the state is x, its speed, the angle and its speed."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.state = self.reset()

    def reset(self) -> NDArray[np.float32]:
        """Begin an episode near the upright position."""
        self.steps = 0
        self.state = self.rng.uniform(-0.05, 0.05, 4).astype(np.float32)
        return self.state

    def step(self, action: int) -> tuple[NDArray[np.float32], bool, bool]:
        """Push to the left (0) or right (1).

        Return the state, whether the pole fell and whether the time is up.
        """
        x, speed, angle, turn = self.state.tolist()
        sine, cosine = math.sin(angle), math.cos(angle)
        force = (10.0 if action else -10.0) + 0.05 * turn * turn * sine
        turned = (9.8 * sine - cosine * force / 1.1) / (0.5 * (4 / 3 - 0.1 * cosine**2 / 1.1))
        moved = force / 1.1 - 0.05 * turned * cosine / 1.1
        x, speed = x + 0.02 * speed, speed + 0.02 * moved
        angle, turn = angle + 0.02 * turn, turn + 0.02 * turned
        self.state = np.array([x, speed, angle, turn], np.float32)
        self.steps += 1
        return self.state, abs(x) > 2.4 or abs(angle) > math.pi / 15, self.steps >= LENGTH


class Memory:
    """The latest transitions, of which training takes random ones."""

    def __init__(self, size: int) -> None:
        self.states = np.zeros((size, 4), np.float32)
        self.next_states = np.zeros((size, 4), np.float32)
        self.actions = np.zeros(size, np.int64)
        self.goes_on = np.zeros(size, np.float32)
        self.count = 0

    def add(
        self, state: NDArray[np.float32], action: int, after: NDArray[np.float32], fell: bool
    ) -> None:
        """Take a transition in, in the place of the oldest."""
        at = self.count % len(self.actions)
        self.states[at], self.next_states[at] = state, after
        self.actions[at], self.goes_on[at] = action, not fell
        self.count += 1

    def sample(self, rng: np.random.Generator, rows: int) -> NDArray[np.int64]:
        """Return the places of random transitions."""
        return rng.integers(0, min(self.count, len(self.actions)), rows)


def shortest_of(net: cr.Sequential, rng: np.random.Generator, trials: int) -> int:
    """Return after how many steps the pole falls at the latest of trials without exploration."""
    shortest = LENGTH
    for _ in range(trials):
        world = CartPole(rng)
        over = False
        while not over:
            _, fell, late = world.step(int(net.predict(world.state).argmax()))
            over = fell or late
        shortest = min(shortest, world.steps)
        if shortest < LENGTH:
            break  # not worth the others
    return shortest


def learn(
    net: cr.Sequential,
    target: cr.Sequential,
    optimizer: cr.Adam,
    memory: Memory,
    chosen: NDArray[np.int64],
) -> None:
    """Take one step of training on these transitions."""
    rows = np.arange(len(chosen))
    best = net.predict(memory.next_states[chosen]).argmax(axis=1)
    future = target.predict(memory.next_states[chosen])[rows, best]
    wanted = 1 + 0.99 * memory.goes_on[chosen] * future
    values = net.forward(memory.states[chosen])
    # The gradient of the mean Huber loss, which only the values of the chosen actions have.
    gradient = np.zeros_like(values)
    error = values[rows, memory.actions[chosen]] - wanted
    gradient[rows, memory.actions[chosen]] = np.clip(error, -1, 1) / len(rows)
    net.backward(gradient)
    optimizer.step(net)
    target.interpolate(net, 0.01)


def train(seed: int = 0, most_steps: int = 60_000, verbose: bool = True) -> tuple[int, int]:
    """Return after how many steps training ended, and how long the pole then stays up at least."""
    rng = np.random.default_rng(seed)
    net = cr.Sequential(
        [
            cr.Input(4),
            cr.Rescaling(4.0),  # angles that matter are small numbers
            cr.Dense(128, activation="tanh"),
            cr.Dense(64, activation="relu"),
            cr.Dense(2),
        ],
        seed=seed,
    )
    target = copy.deepcopy(net)
    optimizer = cr.Adam(1e-3)
    memory = Memory(20_000)
    world = CartPole(rng)
    rows = np.arange(64)
    state, shortest, episodes = world.reset(), 0, 0
    for step in range(1, most_steps + 1):
        if rng.random() < max(0.02, 1 - step / 5000):
            action = int(rng.integers(2))
        else:
            action = int(net.predict(state).argmax())
        after, fell, late = world.step(action)
        memory.add(state, action, after, fell)
        state = after
        if memory.count >= 10 * len(rows):
            learn(net, target, optimizer, memory, memory.sample(rng, len(rows)))
        if not (fell or late):
            continue
        state = world.reset()
        episodes += 1
        if episodes % 10 == 0:
            shortest = shortest_of(target, np.random.default_rng(episodes), 20)
            if verbose:
                print(f"{step:6} steps of training: one pole of 20 falls after {shortest}")
            if shortest == LENGTH:
                break
    return step, shortest


def main() -> None:
    """Train until the task is solved."""
    begun = time.perf_counter()
    _, shortest = train()
    solved = "solved" if shortest == LENGTH else "not solved"
    print(f"{solved} in {time.perf_counter() - begun:.1f} s")


if __name__ == "__main__":
    main()
