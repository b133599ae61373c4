# SPDX-License-Identifier: Apache-2.0
r"""
A network that writes, character by character
=============================================

A language model says how likely each character is to come next, given those before it. The chance of a
whole text is a product, and the loss is the mean of its logarithms, the cross-entropy:

.. math::
   P(c_1 \ldots c_n) = \prod_t P(c_t \mid c_1 \ldots c_{t-1}), \quad
   L = - \frac{1}{n} \sum_t \log P(c_t \mid c_1 \ldots c_{t-1})

A recurrent network does this naturally: its state is what it remembers of the characters before. From the
chances one can also draw, a character at a time, and so the network writes.
"""

import matplotlib.pyplot as plt
import numpy as np

import chainrule as cr

# %%
# The text is seven verses of "The Walrus and the Carpenter" by Lewis Carroll, from 1871. That is little,
# so that the page is made in seconds: the network will know them by heart in the end. An eighth verse is
# kept back, to see what that is worth.

POEM = """\
The sun was shining on the sea,
Shining with all his might:
He did his very best to make
The billows smooth and bright--
And this was odd, because it was
The middle of the night.

The moon was shining sulkily,
Because she thought the sun
Had got no business to be there
After the day was done--
"It's very rude of him," she said,
"To come and spoil the fun!"

The sea was wet as wet could be,
The sands were dry as dry.
You could not see a cloud, because
No cloud was in the sky:
No birds were flying overhead--
There were no birds to fly.

The Walrus and the Carpenter
Were walking close at hand;
They wept like anything to see
Such quantities of sand:
"If this were only cleared away,"
They said, "it would be grand!"

"If seven maids with seven mops
Swept it for half a year,
Do you suppose," the Walrus said,
"That they could get it clear?"
"I doubt it," said the Carpenter,
And shed a bitter tear.

"O Oysters, come and walk with us!"
The Walrus did beseech.
"A pleasant walk, a pleasant talk,
Along the briny beach:
We cannot do with more than four,
To give a hand to each."

The eldest Oyster looked at him,
But never a word he said:
The eldest Oyster winked his eye,
And shook his heavy head--
Meaning to say he did not choose
To leave the oyster-bed.
"""
UNSEEN = """\
"The time has come," the Walrus said,
"To talk of many things:
Of shoes--and ships--and sealing-wax--
Of cabbages--and kings--
And why the sea is boiling hot--
And whether pigs have wings."
"""
characters = sorted(set(POEM + UNSEEN))
code_of = {character: code for code, character in enumerate(characters)}


def encode(text):
    """Return the numbers of a text's characters."""
    return np.array([code_of[character] for character in text])


codes = encode(POEM)
print(f"{len(codes)} characters, {len(characters)} different ones")

# %%
# The network
# -----------
# Windows of 48 characters are its rows; the target of each position is the character behind it, so one
# window teaches 48 times. An ``Embedding`` has a row of 16 numbers for each character, the GRU gives its
# state at each step, and one dense layer reads all of these.

STEPS = 48
starts = np.arange(0, len(codes) - STEPS, 2)
windows = codes[starts[:, np.newaxis] + np.arange(STEPS)]
following = codes[starts[:, np.newaxis] + np.arange(STEPS) + 1]
net = cr.Sequential(
    [
        cr.Input(STEPS),
        cr.Embedding(len(characters), 16),
        cr.Reshape((STEPS, 16)),
        cr.GRU(96, return_sequences=True),
        cr.Dense(len(characters)),
    ],
    seed=0,
)

# %%
# To write, a ``StreamingPredictor`` reads a character at a time: the state goes on from one to the next, so
# a step costs one character, however long the text is. From the outputs behind it the next character is
# drawn. Scores are divided by a *temperature* first: below 1 makes likely characters more likely.


def write(length, temperature=0.5, seed=0):
    """Return a text that the network makes up."""
    rng = np.random.default_rng(seed)
    stream = cr.StreamingPredictor(net)
    text = "The "
    scores = stream.step(encode(text)[:, np.newaxis])[-1]
    for _ in range(length):
        chances = np.exp((scores.astype(float) - scores.max()) / temperature)
        code = rng.choice(len(characters), p=chances / chances.sum())
        text += characters[code]
        scores = stream.step([code])
    return text


def surprise(text):
    """Return - log P of each character but the first, each seen behind the 48 before it or fewer."""
    numbers = encode(text)
    found = []
    for begin in range(0, len(numbers) - 1, STEPS // 2):
        part = numbers[begin : begin + STEPS + 1]
        window = np.zeros((1, STEPS), int)
        window[0, : len(part) - 1] = part[:-1]
        chances = net.predict_proba(window)[0, np.arange(len(part) - 1), part[1:]]
        found.extend(-np.log(chances[len(found) - begin :]))
    return np.array(found)


seen, unseen, best = [], [], None
optimizer = cr.Adam(4e-3, clip_norm=1.0)
for until in (1, 4, 12, 40):
    while len(seen) < until:
        net.fit(
            windows, following, loss="cross_entropy", optimizer=optimizer, metrics=[], verbose=0
        )
        seen.append(surprise(POEM).mean())
        unseen.append(surprise(UNSEEN).mean())
        if unseen[-1] == min(unseen):
            best = net.get_weights()
    print(f"--- after {until} epochs, loss {seen[-1]:.2f}:\n{write(160)}\n")

# %%
# First it knows which letters are frequent, then that words have an end and lines a length, then words,
# at last the poem.
#
# What it has learned
# -------------------
# On the verse that it has never seen, the loss falls first as on the others: words and spelling are the
# same there. Then it rises. What else there was to learn from these verses is true for these verses only.

shares = np.bincount(codes) / len(codes)
frequencies = -np.sum(shares * np.log(np.maximum(shares, 1e-9)))
fig, ax = plt.subplots(figsize=(8, 3.6), layout="constrained")
epochs = range(1, len(seen) + 1)
ax.plot(epochs, seen, color="#1f6fb2", label="the seven verses")
ax.plot(epochs, unseen, color="#c8501e", label="the unseen verse")
ax.axhline(frequencies, color="0.6", linestyle="--")
ax.annotate("frequencies of letters alone", (22, frequencies + 0.05), color="0.4")
ax.set(xlabel="epoch", ylabel="loss", ylim=(0, None))
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# :math:`- \log P` of a single character is how much it surprises; below, a darker ground is a greater
# surprise. The weights are those of the epoch in which the unseen verse was least surprising.

net.set_weights(best)
fig, axes = plt.subplots(2, 1, figsize=(10, 3.6), layout="constrained")
for ax, title, text in zip(axes, ["known", "unseen"], [POEM, UNSEEN], strict=True):
    values = surprise(text)
    lines = text.splitlines()[:4]
    place = 0
    for row, line in enumerate(lines):
        for column, character in enumerate(line):
            shade = 0.0 if place == 0 else min(1.0, values[place - 1] / 6)
            ax.text(
                column,
                row,
                character,
                family="monospace",
                ha="center",
                va="center",
                fontsize=11,
                bbox=dict(boxstyle="square,pad=0.25", facecolor=plt.cm.Oranges(shade), linewidth=0),
            )
            place += 1
        place += 1
    ax.set(xlim=(-1, 44), ylim=(3.6, -0.6), title=title)
    ax.axis("off")
plt.show()

# %%
# Words that the other verses have, such as "the Walrus said", cost little here too. What no verse had
# costs most: a line that begins with "Of", the letters of "cabbages", an x. Large language models are of
# this kind, with more text, more memory, and pieces of words for characters.
