// SPDX-License-Identifier: Apache-2.0
// The network as a graph, and the strips of all values and gradients.

/** Up to 12 units for each column of the drawing: those that the units after them owe most to. */
function shownUnits() {
  const largest = (sizes) => {
    const order = [...sizes.keys()].sort((a, b) => sizes.get(b) - sizes.get(a) || a - b);
    return order.slice(0, 12).sort((a, b) => a - b);
  };
  const last = vectors[vectors.length - 1];
  const columns = [];
  columns[vectors.length - 1] = largest(
    new Map(places[vectors.length - 1].map((j) => [j, Math.abs((last.gradient || last.values)[j])])));
  for (let s = steps.length - 1; s >= 0; s -= 1) {
    const behind = columns[s + 1];
    const sizes = new Map();
    if (steps[s].units) {
      behind.forEach((j) => steps[s].units[j] && steps[s].units[j].terms.forEach(([i, w]) =>
        sizes.set(i, (sizes.get(i) || 0) + Math.abs(w * vectors[s].values[i]))));
      columns[s] = largest(sizes);
    } else if (vectors[s].count === vectors[s + 1].count) {
      columns[s] = behind.filter((j) => vectors[s].values[j] !== undefined);
    } else {
      columns[s] = largest(new Map(places[s].map((j) => [j, Math.abs(vectors[s].values[j])])));
    }
  }
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
  const at = (k, place) => [44 + k * wide, 34 + (place + (tallest - columns[k].length) / 2) * gap];
  const lines = add(svg, "g");
  steps.forEach((step, s) => {
    const largest = {};
    columns[s + 1].forEach((j, to) => {
      const [x2, y2] = at(s + 1, to);
      if (!step.units) {
        const from = columns[s].indexOf(j);
        if (from < 0 || !step.slope) return;
        const [x1, y1] = at(s, from);
        add(lines, "path", { d: `M${x1} ${y1}L${x2} ${y2}`, stroke: "var(--line)", "stroke-width": 2 });
        return;
      }
      const terms = step.units[j] ? step.units[j].terms : [];
      largest[j] = Math.max(...terms.map(([i, w]) => Math.abs(w * vectors[s].values[i])), 1e-300);
      terms.forEach(([i, w]) => {
        const from = columns[s].indexOf(i);
        if (from < 0) return;
        const [x1, y1] = at(s, from);
        const share = (w * vectors[s].values[i]) / largest[j];
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
    const [x] = at(k, 0);
    add(svg, "text", { x, y: 12, "text-anchor": "middle" }, k ? steps[k - 1].name.slice(0, 20) : "row");
    const left = vectors[k].values.length - column.length;
    if (left > 0) {
      const [, y] = at(k, column.length - 1);
      add(svg, "text", { x, y: y + 24, "text-anchor": "middle" }, `and ${left} more`);
    }
    column.forEach((j, place) => {
      const [cx, cy] = at(k, place);
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
    add(layer, "h3", {}, k === 0 ? "The row, x" : `${letter(k)}: ${steps[k - 1].name}`);
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
