"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { vectors, steps } = data;
  // Of long vectors only some numbers are here; in full arrays the others are left empty.
  const places = vectors.map((v) => v.at || Array.from({ length: v.count }, (_, j) => j));
  function spread(k, list) {
    if (!list || !vectors[k].at || list.length === 1) return list;
    const full = new Array(vectors[k].count);
    vectors[k].at.forEach((j, place) => { full[j] = list[place]; });
    return full;
  }
  vectors.forEach((vector, k) => {
    vector.values = spread(k, vector.values);
    vector.gradient = spread(k, vector.gradient);
    if (k === 0) return;
    const step = steps[k - 1];
    step.slope = spread(k, step.slope);
    if (step.next) step.next = step.next.map((list) => spread(k, list));
  });
  const largestOf = (k, values) => places[k].reduce((m, j) => Math.max(m, Math.abs(values[j])), 0);
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
  const atNow = data.history.length - 1;
  let shown = atNow; // which recorded step the strips show
  let chosen = null; // {step, unit} or {step, unit, input}

  // Numbers and names.

  const format = (value) =>
    value === null || value === undefined ? "?" : String(Number(value.toPrecision(5)));
  const signed = (value) => (value < 0 ? `− ${format(-value)}` : `+ ${format(value)}`);
  const bracketed = (value) => (value < 0 ? `(${format(value)})` : format(value));
  const subscripts = (index) => String(index).replace(/\d/g, (d) => "₀₁₂₃₄₅₆₇₈₉"[d]);
  const isLast = (k) => k === vectors.length - 1;

  function letter(k) {
    if (k === 0) return "x";
    const step = steps[k - 1];
    const activated = steps[k] && steps[k].kind === "activation" && steps[k].layer === step.layer;
    return (step.units && activated ? "z" : "y") + subscripts(step.layer);
  }
  const symbol = (k, j) => `${letter(k)}[${j}]`;
  function named(k, j) {
    if (k === 0 && data.feature_names.length) return data.feature_names[j];
    if (isLast(k) && data.class_names.length) return data.class_names[j];
    return null;
  }
  const weightSymbol = (s, i, j) => `w${subscripts(steps[s].layer)}[${i},${j}]`;

  /** Numbers as they are, or made of a largest one and a character for each share of it. */
  function unpack(packed) {
    if (!packed || typeof packed[1] !== "string") return packed;
    const [largest, letters] = packed;
    return Array.from(letters, (c) => ((alphabet.indexOf(c) - 31) / 31) * largest);
  }
  const valuesOf = (k) =>
    (k > 0 && shown !== atNow && recorded(shown, "values", k)) || vectors[k].values;
  const gradientOf = (k) =>
    shown === atNow ? vectors[k].gradient : recorded(shown, "gradients", k);
  /** The values or the gradients of a vector after a recorded step. */
  function recorded(step, what, k) {
    const packed = data.history[step][what][what === "values" ? k - 1 : k];
    return spread(k, unpack(packed));
  }

  /** The shape of an image, which scaling does not change. */
  const shapeOf = (k) =>
    vectors[k].at || steps.slice(0, k).some((step) => step.units || !step.slope) ? null : data.shape;
  const slopeOf = (t, j) => steps[t].slope[steps[t].slope.length > 1 ? j : 0];

  // Elements.

  function add(parent, tag, attributes = {}, ...children) {
    const svg = ["svg", "g", "rect", "circle", "path", "text", "title", "polyline", "line"];
    const element = svg.includes(tag)
      ? document.createElementNS("http://www.w3.org/2000/svg", tag)
      : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children.map(String));
    parent.append(element);
    return element;
  }

  /** Makes an element do something on a click, and on Enter or space. */
  function pick(element, label, action) {
    element.classList.add("pick");
    element.setAttribute("role", "button");
    element.setAttribute("tabindex", "0");
    element.setAttribute("aria-label", label);
    element.addEventListener("click", action);
    element.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        action();
      }
    });
    return element;
  }

  const color = (value) => (value < 0 ? "var(--down)" : "var(--up)");

  /** A square for each number, as an image where there is a shape, and one line that tells it. */
  function strip(parent, k, values, { shape, label, onPick, ink, id }) {
    const units = places[k];
    const largest = largestOf(k, values) || 1;
    const across = shape ? shape[1] : Math.min(units.length, 32);
    const down = Math.ceil(units.length / across);
    const size = shape ? Math.max(5, Math.min(18, Math.floor(280 / across))) : 16;
    const box = add(parent, "div", { class: "strip" });
    const svg = add(box, "svg", {
      viewBox: `-2 -2 ${across * size + 4} ${down * size + 4}`,
      width: across * size + 4,
      height: down * size + 4,
      tabindex: 0,
      role: "group",
      id,
      "aria-label": `${label}: ${units.length} numbers. Arrow keys go from one to the next.`,
    });
    add(svg, "rect", { width: across * size, height: down * size, fill: "none", stroke: "var(--line)" });
    const squares = units.map((unit, place) =>
      add(svg, "rect", {
        x: (place % across) * size,
        y: Math.floor(place / across) * size,
        width: size,
        height: size,
        fill: ink ? "var(--ink)" : color(values[unit]),
        "fill-opacity": (Math.abs(values[unit]) / largest).toFixed(3),
        "data-unit": unit,
        "data-place": place,
      }),
    );
    const said = add(box, "div", { class: "said", "aria-live": "polite" });
    said.textContent = `largest magnitude ${format(largest)}`;
    let place = 0;
    const tell = (to) => {
      squares[place].classList.remove("chosen");
      place = to;
      squares[place].classList.add("chosen");
      said.textContent = `${label}[${units[place]}] = ${format(values[units[place]])}`;
    };
    const placeOf = (event) => event.target.getAttribute && event.target.getAttribute("data-place");
    svg.addEventListener("mousemove", (event) => placeOf(event) !== null && tell(Number(placeOf(event))));
    svg.addEventListener("click", (event) =>
      placeOf(event) !== null && onPick && onPick(units[Number(placeOf(event))]));
    svg.addEventListener("keydown", (event) => {
      const move = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key];
      if (move && units[place + move] !== undefined) tell(place + move);
      else if (event.key === "Enter" && onPick) onPick(units[place]);
      else if (!move) return;
      event.preventDefault();
    });
    return svg;
  }

  // The summary and the slider.

  function summary() {
    const box = document.getElementById("summary");
    box.replaceChildren();
    const now = data.history.length ? data.history[shown] : { loss: data.loss.value };
    const outputs = valuesOf(vectors.length - 1);
    const best = places[vectors.length - 1].reduce((b, j) => (outputs[j] > outputs[b] ? j : b));
    add(box, "p", {}, data.network.join(", "), `; ${data.parameters} parameters.`);
    const line = add(box, "p", {}, `Loss (${data.loss.kind}): `);
    add(line, "strong", { id: "loss" }, format(now.loss));
    line.append(` for the target ${data.loss.target}; the network gives ${symbol(vectors.length - 1, best)}`);
    line.append(` = ${format(outputs[best])}`);
    const name = named(vectors.length - 1, best);
    line.append(outputs.length > 1 ? ` as its largest output${name ? `, ${name}` : ""}.` : ".");
    if (data.loss.taken_over) {
      add(box, "p", { class: "faint" },
        `The loss takes over the last ${data.loss.taken_over}: it is differentiated by what goes into it.`);
    }
  }

  function slider() {
    if (!data.history.length) return;
    const box = document.getElementById("history");
    box.hidden = false;
    add(box, "h2", {}, "Training");
    const label = add(box, "label", { for: "step" });
    const input = add(box, "input", {
      type: "range", id: "step", min: 0, max: atNow, value: atNow, step: 1,
    });
    const losses = data.history.map((entry) => entry.loss);
    chart(box, losses, "loss");
    const tell = () => {
      label.textContent = `Step ${data.history[shown].step} of ${data.history[atNow].step} `;
      input.setAttribute("aria-valuetext", `step ${data.history[shown].step}`);
    };
    input.addEventListener("input", () => {
      shown = Number(input.value);
      tell();
      summary();
      strips();
      detail();
    });
    tell();
  }

  function chart(parent, values, label) {
    const top = Math.max(...values), bottom = Math.min(...values);
    const y = (v) => 62 - ((v - bottom) / (top - bottom || 1)) * 54;
    const x = (i) => 4 + (i / Math.max(1, values.length - 1)) * 392;
    const box = add(parent, "div");
    const svg = add(box, "svg", { viewBox: "0 0 400 70", width: 400, height: 70, role: "img",
      "aria-label": `${label} from ${format(values[0])} to ${format(values[values.length - 1])}` });
    add(svg, "polyline", {
      points: values.map((v, i) => `${x(i).toFixed(1)},${y(v).toFixed(1)}`).join(" "),
      fill: "none", stroke: "var(--ink)", "stroke-width": 1.5,
    });
    add(svg, "line", { x1: x(shown), x2: x(shown), y1: 0, y2: 70, stroke: "var(--chosen)" });
    add(svg, "text", { x: 6, y: 12 }, `${label}: ${format(bottom)} to ${format(top)}`);
  }

  // The drawing.

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

  // The strips.

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

  // What was chosen.

  function choose(what) {
    if (what.vector !== undefined) {
      const k = what.vector;
      // A unit of an activation is looked at with the sum that it is of.
      let s = k - 1;
      while (s > 0 && !steps[s].units && steps[s].slope && steps[s].layer === steps[s - 1].layer) s -= 1;
      what = s >= 0 && steps[s].units ? { step: s, unit: what.unit } : { plain: k, unit: what.unit };
    }
    chosen = what;
    detail();
    document.querySelectorAll("#drawing .chosen").forEach((old) => old.classList.remove("chosen"));
    const node = chosen.plain !== undefined ? `${chosen.plain},${chosen.unit}` : `${chosen.step + 1},${chosen.unit}`;
    const mark = (selector) => document.querySelectorAll(selector).forEach((e) => e.classList.add("chosen"));
    mark(`[data-node="${node}"]`);
    if (chosen.input !== undefined) mark(`[data-weight="${chosen.step},${chosen.input},${chosen.unit}"]`);
  }

  function row(table, cells, tag = "td") {
    const line = add(table, "tr");
    cells.forEach((cell) => add(line, tag, {}, cell));
    return line;
  }

  function detail() {
    const box = document.getElementById("detail");
    box.replaceChildren();
    add(box, "h2", { id: "detail-title" }, "A closer look");
    if (!chosen) {
      add(box, "p", {}, "Choose a unit or a weight: in the drawing, or a square of the strips.");
      return;
    }
    if (chosen.plain !== undefined) return plainDetail(box, chosen.plain, chosen.unit);
    if (chosen.input !== undefined) weightDetail(box, chosen.step, chosen.input, chosen.unit);
    unitDetail(box, chosen.step, chosen.unit);
  }

  function overTraining(box, k, j) {
    if (data.history.length < 2) return;
    add(box, "h3", {}, "Over the training");
    if (k > 0 && data.history[0].values[k - 1]) {
      chart(box, data.history.map((_, h) => recorded(h, "values", k)[j]), symbol(k, j));
    }
    if (data.history[0].gradients[k]) {
      chart(box, data.history.map((_, h) => recorded(h, "gradients", k)[j]), `∂L/∂${symbol(k, j)}`);
    }
    if (shown !== atNow) add(box, "p", { class: "faint" }, "The numbers above are those after the last step.");
  }

  function plainDetail(box, k, j) {
    const name = named(k, j);
    add(box, "h3", {}, `${symbol(k, j)}${name ? `, ${name}` : ""}`);
    const table = add(box, "table");
    row(table, ["value", format(vectors[k].values[j])]);
    if (k > 0 && steps[k - 1].slope) {
      row(table, [`value of ${symbol(k - 1, j)}`, format(vectors[k - 1].values[j])]);
      row(table, ["local derivative", format(slopeOf(k - 1, j))]);
    }
    if (vectors[k].gradient) row(table, [`∂L/∂${symbol(k, j)}`, format(vectors[k].gradient[j])]);
    if (steps[k] && steps[k].units) {
      add(box, "h3", {}, `Weights that ${symbol(k, j)} is multiplied by`);
      weightTable(box, k, Object.keys(steps[k].units).flatMap((unit) =>
        steps[k].units[unit].terms.filter(([i]) => i === j).map((term) => [term, Number(unit)])));
    }
    overTraining(box, k, j);
  }

  function weightTable(box, s, terms) {
    const scroll = add(box, "div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Weights" });
    const table = add(scroll, "table");
    row(table, ["weight", "input", "× weight", "= term", "∂L/∂w"], "th");
    terms.forEach(([[i, w], unit]) => {
      const x = vectors[s].values[i];
      const line = row(table, ["", format(x), format(w), format(x * w), format(x * vectors[s + 1].gradient[unit])]);
      const button = add(line.firstChild, "button", { type: "button" }, weightSymbol(s, i, unit));
      button.addEventListener("click", () => choose({ step: s, unit, input: i }));
      line.lastChild.classList.add("gradient");
    });
    return table;
  }

  function unitDetail(box, s, j) {
    const unit = steps[s].units[j];
    const z = vectors[s + 1].values[j], dz = vectors[s + 1].gradient[j];
    const z_ = symbol(s + 1, j), name = named(s + 1, j) || (steps[s + 1] && named(s + 2, j));
    add(box, "h3", {}, `Unit ${j} of layer ${steps[s].layer}${name ? `, ${name}` : ""}`);
    if (!unit) {
      add(box, "p", {}, "This unit's gradient is small, and its weights are not on the page.");
      add(box, "p", { id: "sum" }, `${z_} = ${format(z)}, ∂L/∂${z_} = ${format(dz)}`);
      return overTraining(box, s + 1, j);
    }
    const terms = unit.terms;
    const bias = unit.bias ? unit.bias[0] : 0;
    const listed = terms.reduce((sum, [i, w]) => sum + w * vectors[s].values[i], bias);
    const others = vectors[s].values.length - terms.length;
    const largest = [...terms].sort((a, b) =>
      Math.abs(b[1] * vectors[s].values[b[0]]) - Math.abs(a[1] * vectors[s].values[a[0]])).slice(0, 6);
    const sum = add(box, "p", { class: "formula", id: "sum" }, `${z_} = `);
    sum.append(unit.bias ? `b + Σ x w = ${format(bias)} ` : "Σ x w = ");
    largest.forEach(([i, w]) => {
      sum.append(`+ ${bracketed(vectors[s].values[i])} · ${bracketed(w)} `);
    });
    const rest = vectors[s].values.length - largest.length;
    const spelt = largest.reduce((total, [i, w]) => total + w * vectors[s].values[i], bias);
    if (rest > 0) sum.append(`${signed(z - spelt)} (${rest} more) `);
    sum.append(`= ${format(z)}`);

    const next = steps[s + 1];
    const table = add(box, "table", { id: "chain" });
    row(table, [`sum ${z_}`, format(z)]);
    if (next && next.layer === steps[s].layer && next.kind === "activation") {
      const y = vectors[s + 2].values[j], dy = vectors[s + 2].gradient;
      row(table, [`activation ${symbol(s + 2, j)} = ${next.name.replace(/^Activation\('?|'?\)$/g, "")}(${z_})`, format(y)]);
      if (next.slope && dy) {
        row(table, ["local derivative", format(slopeOf(s + 1, j))]);
        row(table, [`incoming gradient ∂L/∂${symbol(s + 2, j)}`, format(dy[j])]);
        row(table, [`their product ∂L/∂${z_}`, format(dz)]);
      } else {
        row(table, [`∂L/∂${z_}, with the loss`, format(dz)]);
      }
    } else {
      row(table, [`incoming gradient ∂L/∂${z_}`, format(dz)]);
    }
    if (unit.bias) {
      row(table, [`bias b[${j}]`, format(bias)]);
      row(table, ["∂L/∂b", format(dz)]);
      row(table, ["finite difference", format(unit.bias[1])]);
      row(table, [`update by ${data.optimizer}`, format(unit.bias[2])]);
    }
    if (steps[s].colors && !vectors[s].at && vectors[s].count > 8) {
      add(box, "h3", {}, "All its weights, and their gradients");
      const wide = vectors[s + 1].values.length;
      const [top, letters] = steps[s].colors;
      const weights = vectors[s].values.map((_, i) => ((alphabet.indexOf(letters[i * wide + j]) - 31) / 31) * top);
      const shape = shapeOf(s);
      const onPick = (i) => terms.some(([listedInput]) => listedInput === i) && choose({ step: s, unit: j, input: i });
      strip(box, s, weights, { shape, label: `about w[i,${j}]`, onPick });
      strip(box, s, vectors[s].values.map((x) => x * dz), { shape, label: `∂L/∂w[i,${j}]`, onPick });
    }
    add(box, "h3", {}, "Its sum, term by term");
    const list = weightTable(box, s, terms.map((term) => [term, j]));
    if (others > 0) row(list, [`${others} more`, "", "", format(z - listed), ""]);
    overTraining(box, s + 1, j);
  }

  function weightDetail(box, s, i, j) {
    const [, w, difference, update] = steps[s].units[j].terms.find(([input]) => input === i);
    const x = vectors[s].values[i], dz = vectors[s + 1].gradient[j];
    const gradient = x * dz, w_ = weightSymbol(s, i, j);
    add(box, "h3", {}, `Weight ${w_}`);
    const table = add(box, "table", { id: "weight" });
    row(table, ["weight", format(w)]);
    row(table, [`gradient ∂L/∂w = ${symbol(s, i)} · ∂L/∂${symbol(s + 1, j)}`, format(gradient)]);
    row(table, ["finite difference (L(w + h) − L(w − h)) / 2h", format(difference)]);
    row(table, [`update by ${data.optimizer}`, format(update)]);
    row(table, ["weight after it", format(w + update)]);

    const factors = path(s, i, j);
    add(box, "h3", {}, "One path of the gradient, from the loss to this weight");
    if (!factors) {
      add(box, "p", {}, "Behind this layer every input has a part in every output: there is no single path.");
      return;
    }
    const product = factors.reduce((p, [, value]) => p * value, 1);
    add(box, "p", { class: "formula", id: "path-formula" }, factors.map(([text]) => text).reverse().join(" · "));
    add(box, "p", { class: "formula", id: "path-numbers" },
      `${factors.map(([, v]) => bracketed(v)).reverse().join(" · ")} = ${format(product)}`);
    const share = gradient === 0 ? 0 : (100 * product) / gradient;
    add(box, "p", { class: "faint" }, Math.abs(share - 100) < 1e-6
      ? "It is the only one."
      : `The strongest of all paths at each layer; together they give ${format(gradient)}.`);
  }

  /** Factors from the weight on: [text, value]; null where a step mixes all of its inputs. */
  function path(s, i, j) {
    const factors = [[symbol(s, i), vectors[s].values[i]]];
    let unit = j, dense = s;
    for (let t = s + 1; t < steps.length; t += 1) {
      const step = steps[t];
      if (step.units) {
        if (!steps[dense].next) return null;
        const to = steps[dense].next[0][unit], w = steps[dense].next[1][unit];
        factors.push([weightSymbol(t, unit, to), w]);
        unit = to;
        dense = t;
      } else if (step.slope) {
        factors.push([`∂${symbol(t + 1, unit)}/∂${symbol(t, unit)}`, slopeOf(t, unit)]);
      } else if (vectors[t + 1].gradient) {
        return null;
      } else {
        break; // what the loss takes over
      }
    }
    let last = vectors.length - 1;
    if (!vectors[last].gradient) last -= 1;
    factors.push([`∂L/∂${symbol(last, unit)}`, vectors[last].gradient[unit]]);
    return factors;
  }

  function notes() {
    const box = document.getElementById("notes");
    if (!data.notes.length) return;
    add(box, "h2", {}, "What is left out");
    data.notes.forEach((note) => add(box, "p", {}, note));
  }

  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  summary();
  slider();
  drawing();
  strips();
  detail();
  notes();
})();
