// SPDX-License-Identifier: Apache-2.0
// Pictures of images: the map of each channel, and the kernels that maps are made by.

let paints = []; // a function for each picture on the page, for when its colors change

function repaint() {
  paints = paints.filter(({ canvas }) => canvas.isConnected);
  paints.forEach(({ paint }) => paint());
}

/** Tiles of (height, width) numbers side by side, and one line that tells of one number: `tell(tile, place)`. */
function mosaic(parent, tiles, { size: [height, width], across, label, tell, onPick, id }) {
  const largest = tiles.reduce((m, tile) => tile.reduce((n, value) => Math.max(n, Math.abs(value)), m), 0);
  const wide = across * (width + 1) + 1;
  const high = Math.ceil(tiles.length / across) * (height + 1) + 1;
  const scale = Math.max(1, Math.min(9, Math.floor(440 / wide)));
  const box = add(parent, "div", { class: "strip" });
  const canvas = add(box, "canvas", {
    width: wide * scale, height: high * scale, tabindex: 0, role: onPick ? "group" : "img", id,
    "aria-label": `${label}: ${tiles.length} of ${height} by ${width} numbers. Arrow keys go from number to `
      + "number, Page Up and Page Down from picture to picture.",
  });
  const said = add(box, "div", { class: "said", "aria-live": "polite" }, `largest magnitude ${format(largest)}`);
  let chosenTile = null, chosenPlace = 0;
  const corner = (tile) => [1 + (tile % across) * (width + 1), 1 + Math.floor(tile / across) * (height + 1)];
  const paint = () => {
    const style = getComputedStyle(canvas), context = canvas.getContext("2d");
    const [paper, line, up, down, mark] =
      ["--paper", "--line", "--up", "--down", "--chosen"].map((name) => style.getPropertyValue(name));
    const square = (x, y, w, h, fill, share) => {
      context.globalAlpha = share;
      context.fillStyle = fill;
      context.fillRect(x * scale, y * scale, w * scale, h * scale);
    };
    tiles.forEach((tile, t) => {
      const [left, top] = corner(t);
      square(left - 1, top - 1, width + 2, height + 2, line, 1);
    });
    tiles.forEach((tile, t) => {
      const [left, top] = corner(t);
      square(left, top, width, height, paper, 1);
      tile.forEach((value, place) => {
        if (!value) return;
        square(left + (place % width), top + Math.floor(place / width), 1, 1, value < 0 ? down : up,
          Math.abs(value) / largest);
      });
    });
    if (chosenTile === null) return;
    const [left, top] = corner(chosenTile);
    square(left + (chosenPlace % width), top + Math.floor(chosenPlace / width), 1, 1, mark, 0.8);
  };
  const go = (tile, place) => {
    [chosenTile, chosenPlace] = [tile, place];
    said.textContent = tell(tile, place);
    paint();
  };
  const under = (event) => {
    const pixel = (offset, shown, count) => Math.floor((offset / shown) * count) - 1;
    const x = pixel(event.offsetX, canvas.clientWidth, wide), y = pixel(event.offsetY, canvas.clientHeight, high);
    const tile = Math.floor(y / (height + 1)) * across + Math.floor(x / (width + 1));
    const column = x % (width + 1), line = y % (height + 1);
    return column < 0 || line < 0 || column === width || line === height || !tiles[tile]
      ? null : [tile, line * width + column];
  };
  canvas.addEventListener("mousemove", (event) => under(event) && go(...under(event)));
  canvas.addEventListener("click", (event) => under(event) && onPick && onPick(...under(event)));
  canvas.addEventListener("keydown", (event) => {
    const column = chosenPlace % width;
    const [tile, place] = {
      ArrowRight: [chosenTile, chosenPlace + (column + 1 < width)],
      ArrowLeft: [chosenTile, chosenPlace - (column > 0)],
      ArrowDown: [chosenTile, chosenPlace + width],
      ArrowUp: [chosenTile, chosenPlace - width],
      PageDown: [chosenTile + 1, chosenPlace],
      PageUp: [chosenTile - 1, chosenPlace],
    }[event.key] || [];
    if (event.key === "Enter" && onPick) onPick(chosenTile || 0, chosenPlace);
    else if (place === undefined) return;
    else if (chosenTile === null) go(0, 0);
    else if (tiles[tile] && tiles[tile][place] !== undefined) go(tile, place);
    event.preventDefault();
  });
  paint();
  paints.push({ canvas, paint });
  return canvas;
}

const channelsOf = (k) => vectors[k].count / (vectors[k].maps.size[0] * vectors[k].maps.size[1]);
const flat = (k, channel, place) => place * channelsOf(k) + channel;
const mapsOf = (k) => vectors[k].maps && shapeOf(k) === null ? vectors[k].maps : null;

/** The numbers of maps that are shown; `what` is "values" or "gradient". */
function mapTiles(k, what, channels) {
  const { size, channels: all, [what]: packed } = vectors[k].maps;
  const pixels = size[0] * size[1];
  const places_ = Array.from({ length: pixels }, (_, place) => place);
  if (packed) {
    const numbers = unpack(packed);
    return channels.map((channel) => numbers.slice(all.indexOf(channel) * pixels).slice(0, pixels));
  }
  const numbers = what === "values" ? valuesOf(k) : gradientOf(k);
  return numbers && !vectors[k].at && channels.map((channel) => places_.map((place) => numbers[flat(k, channel, place)]));
}

/** Maps of some channels, values or gradients; nothing where there is no gradient. */
function maps(parent, k, what, channels, { across, onPick, id }) {
  const tiles = mapTiles(k, what, channels);
  if (!tiles) return;
  const name = what === "values" ? letter(k) : `∂L/∂${letter(k)}`;
  const exact = what === "values" ? valuesOf(k) : gradientOf(k);
  const { size } = vectors[k].maps;
  mosaic(parent, tiles, {
    size, across, onPick, id, label: `Maps of ${name}`,
    tell: (tile, place) => {
      const known = exact[flat(k, channels[tile], place)];
      const text = known === undefined ? `about ${Number(tiles[tile][place].toPrecision(2))}` : format(known);
      return `${name}[${Math.floor(place / size[1])}, ${place % size[1]}, ${channels[tile]}] = ${text}`;
    },
  });
}

/** All maps of a layer, and its kernels. */
function images(parent, k) {
  const { channels, size, values } = vectors[k].maps;
  const across = Math.max(1, Math.min(channels.length, Math.floor(440 / (2 * size[1] + 1)), 8));
  const options = (what) => ({ across, id: `${what}-${k}`,
    onPick: (tile) => choose({ map: k, channel: channels[tile] }) });
  if (values && shown !== atNow) add(parent, "p", { class: "faint" }, "Maps are those after the last step.");
  maps(parent, k, "values", channels, options("values"));
  if (vectors[k].gradient) {
    add(parent, "div", { class: "gradient" }, `d loss / d ${letter(k)}`);
    maps(parent, k, "gradient", channels, options("gradient"));
  }
  const step = maker(k);
  if (!step || !step.kernels) return;
  const { from, to } = step.kernels;
  kernels(parent, k, to, { across: from && from.length > 1 ? from.length : Math.min(to.length, 8), id: "" });
}

const rowsAndColumns = ": a row for each output, a column for each input";

/** The kernels of some outputs, with their gradients. */
function kernels(parent, k, outputs_, { across, id }) {
  const { size, to, from, ...numbers } = maker(k).kernels;
  const each = from ? from.length : 1, pixels = size[0] * size[1];
  const w = `w${subscripts(maker(k).layer)}`;
  for (const [what, name] of [["values", w], ["gradient", `∂L/∂${w}`]]) {
    const tiles = outputs_.flatMap((output) => Array.from({ length: each }, (_, i) =>
      numbers[what].slice((to.indexOf(output) * each + i) * pixels).slice(0, pixels)));
    add(parent, "div", { class: what === "values" ? "" : "gradient" },
      what === "values" ? `Kernels ${w}${outputs_.length > 1 && each > 1 ? rowsAndColumns : ""}` : `d loss / d ${w}`);
    mosaic(parent, tiles, {
      size, across, id: `kernel-${what}-${k}${id}`, label: `Kernels, ${name}`,
      tell: (tile, place) => {
        const output = outputs_[Math.floor(tile / each)];
        const at_ = [Math.floor(place / size[1]), place % size[1], ...(from ? [from[tile % each]] : []), output];
        return `${name}[${at_.join(", ")}] = ${format(tiles[tile][place])}`;
      },
      onPick: (tile) => choose({ map: k, channel: outputs_[Math.floor(tile / each)] }),
    });
  }
}

/** A closer look at one channel: its map, the kernels that it is made by, its bias. */
function mapDetail(box, k, channel) {
  add(box, "h3", {}, `Channel ${channel} of ${letter(k)}, ${title(k)}`);
  const pick_ = (what) => ({ across: 1, id: `map-${what}`, onPick: (_, place) => {
    const unit = flat(k, channel, place);
    if (vectors[k].values[unit] !== undefined) choose({ vector: k, unit });
  } });
  if (vectors[k].maps.channels.includes(channel)) {
    maps(box, k, "values", [channel], pick_("values"));
    if (vectors[k].gradient) {
      add(box, "div", { class: "gradient" }, `d loss / d ${letter(k)}`);
      maps(box, k, "gradient", [channel], pick_("gradient"));
    }
  }
  const made = maker(k) && maker(k).kernels;
  if (!made) return;
  const place = made.to.indexOf(channel);
  if (place < 0) {
    add(box, "p", {}, "The gradients of its kernels are small, and they are not on the page.");
    return;
  }
  kernels(box, k, [channel], { across: Math.min(made.from ? made.from.length : 1, 8), id: "-chosen" });
  if (!made.bias) return;
  const table = add(box, "table", { id: "map-bias" });
  row(table, [`bias b[${channel}]`, format(made.bias[place][0])]);
  row(table, ["∂L/∂b", format(made.bias[place][1])]);
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
