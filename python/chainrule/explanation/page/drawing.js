// SPDX-License-Identifier: Apache-2.0
// The network as a graph, and the strips of all values and gradients.

/** Up to 12 units for each column of the drawing: those that what reads them owes most to. */
function shownUnits() {
  const largest = (sizes) => {
    const order = [...sizes.keys()].sort((a, b) => sizes.get(b) - sizes.get(a) || a - b);
    return order.slice(0, 12).sort((a, b) => a - b);
  };
  const sizes = vectors.map(() => new Map());
  const count = (k, j, size) => sizes[k].set(j, (sizes[k].get(j) || 0) + size);
  outputs.forEach(({ vector }) => {
    const { gradient, values } = vectors[vector];
    places[vector].forEach((j) => count(vector, j, Math.abs((gradient || values)[j])));
  });
  const columns = [];
  for (let s = steps.length - 1; s >= 0; s -= 1) {
    const k = makes(s);
    columns[k] = largest(sizes[k]);
    steps[s].reads.forEach((from) => {
      if (steps[s].units) {
        columns[k].forEach((j) => steps[s].units[j] && steps[s].units[j].terms.forEach(([i, w]) =>
          count(from, i, Math.abs(w * vectors[from].values[i]))));
      } else if (vectors[from].count === vectors[k].count) {
        columns[k].forEach((j) => vectors[from].values[j] !== undefined && count(from, j, 1));
      } else {
        places[from].forEach((j) => count(from, j, Math.abs(vectors[from].values[j])));
      }
    });
  }
  rows.forEach((_, k) => { columns[k] = largest(sizes[k]); });
  return columns;
}

function drawing() {
  const box = document.getElementById("drawing");
  box.replaceChildren();
  const columns = shownUnits();
  const tallest = Math.max(...columns.map((c) => c.length));
  const gap = 34, wide = 128, height = tallest * gap + 40;
  const svg = add(box, "svg", {
    viewBox: `0 0 ${columns.length * wide + 60} ${height}`,
    width: columns.length * wide + 60, height, role: "group", "aria-label": "The network as a graph",
  });
  const spot = (k, place) => [44 + k * wide, 34 + (place + (tallest - columns[k].length) / 2) * gap];
  const lines = add(svg, "g");
  steps.forEach((step, s) => {
    const k = makes(s);
    const largest = {};
    columns[k].forEach((j, to) => {
      const [x2, y2] = spot(k, to);
      if (!step.units) {
        step.reads.forEach((read) => {
          const from = columns[read].indexOf(j);
          if (from < 0 || !(step.slope || step.slopes)) return;
          const [x1, y1] = spot(read, from);
          // A line to a column further on goes around those between.
          const bend = (k - read - 1) * 24;
          add(lines, "path", {
            d: bend ? `M${x1} ${y1}C${x1 + 60} ${y1 - bend} ${x2 - 60} ${y2 - bend} ${x2} ${y2}` : `M${x1} ${y1}L${x2} ${y2}`,
            fill: "none", stroke: "var(--line)", "stroke-width": 2,
          });
        });
        return;
      }
      const read = source(s);
      const terms = step.units[j] ? step.units[j].terms : [];
      largest[j] = Math.max(...terms.map(([i, w]) => Math.abs(w * vectors[read].values[i])), 1e-300);
      terms.forEach(([i, w]) => {
        const from = columns[read].indexOf(i);
        if (from < 0) return;
        const [x1, y1] = spot(read, from);
        const share = (w * vectors[read].values[i]) / largest[j];
        const path = add(lines, "path", {
          d: `M${x1} ${y1}C${x1 + 50} ${y1} ${x2 - 50} ${y2} ${x2} ${y2}`,
          fill: "none", stroke: color(share),
          "stroke-width": (0.4 + 3 * Math.abs(share)).toFixed(2), "stroke-opacity": 0.55,
          "data-weight": `${s},${i},${j}`,
        });
        path.addEventListener("click", () => choose({ step: s, unit: j, input: i }));
        path.classList.add("pick");
      });
    });
  });
  columns.forEach((column, k) => {
    const [x] = spot(k, 0);
    add(svg, "text", { x, y: 12, "text-anchor": "middle" }, title(k).slice(0, 20));
    const left = vectors[k].values.length - column.length;
    if (left > 0) {
      const [, y] = spot(k, column.length - 1);
      add(svg, "text", { x, y: y + 24, "text-anchor": "middle" }, `and ${left} more`);
    }
    column.forEach((j, place) => {
      const [cx, cy] = spot(k, place);
      const group = add(svg, "g", { "data-node": `${k},${j}` });
      const value = vectors[k].values[j];
      const most = largestOf(k, vectors[k].values) || 1;
      add(group, "circle", { cx, cy, r: 11, fill: "var(--paper)", stroke: "var(--ink)" });
      add(group, "circle", { cx, cy, r: 11, fill: color(value), "fill-opacity": Math.abs(value) / most });
      add(group, "text", { x: cx, y: cy + 4, "text-anchor": "middle" }, j);
      pick(group, `${symbol(k, j)} = ${format(value)}`, () => choose({ vector: k, unit: j }));
    });
  });
}

function strips() {
  const box = document.getElementById("strips");
  box.querySelectorAll(".layer").forEach((old) => old.remove());
  vectors.forEach((vector, k) => {
    const layer = add(box, "div", { class: "layer" });
    const heading = maker(k) ? `${letter(k)}: ${title(k)}` : `The row, ${letter(k)}`;
    add(layer, "h3", {}, heading);
    if (mapsOf(k)) return images(layer, k);
    const shape = shapeOf(k);
    const onPick = (j) => choose({ vector: k, unit: j });
    const ink = shape && places[k].every((j) => vector.values[j] >= 0);
    strip(layer, k, valuesOf(k), { shape, label: letter(k), onPick, ink, id: `values-${k}` });
    const gradient = gradientOf(k);
    if (gradient) {
      add(layer, "div", { class: "gradient" }, `d loss / d ${letter(k)}`);
      strip(layer, k, gradient, { shape, label: `∂L/∂${letter(k)}`, onPick, id: `gradient-${k}` });
    }
  });
}
