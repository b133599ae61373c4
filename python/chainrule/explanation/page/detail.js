// SPDX-License-Identifier: Apache-2.0
// A closer look at what was chosen: a unit, a weight, or another number.

function choose(what) {
  if (what.vector !== undefined) {
    const k = what.vector;
    // A unit of an activation is looked at with the sum that it is of.
    let s = k - rows.length;
    if (s > 0 && activation(s - 1) === s) s -= 1;
    what = s >= 0 && steps[s].units ? { step: s, unit: what.unit } : { plain: k, unit: what.unit };
  }
  chosen = what;
  detail();
  document.querySelectorAll("#drawing .chosen").forEach((old) => old.classList.remove("chosen"));
  if (chosen.map !== undefined) return;
  const node = chosen.plain !== undefined ? `${chosen.plain},${chosen.unit}` : `${makes(chosen.step)},${chosen.unit}`;
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
  if (chosen.map !== undefined) return mapDetail(box, chosen.map, chosen.channel);
  if (chosen.plain !== undefined) return plainDetail(box, chosen.plain, chosen.unit);
  if (chosen.input !== undefined) weightDetail(box, chosen.step, chosen.input, chosen.unit);
  unitDetail(box, chosen.step, chosen.unit);
}

function overTraining(box, k, j) {
  if (data.history.length < 2) return;
  add(box, "h3", {}, "Over the training");
  if (maker(k) && data.history[0].values[k - rows.length]) {
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
  const step = maker(k);
  if (step && step.slope) {
    row(table, [`value of ${symbol(step.reads[0], j)}`, format(vectors[step.reads[0]].values[j])]);
    row(table, ["local derivative", format(at(step.slope, j))]);
  }
  if (step && step.slopes) {
    step.reads.forEach((read, place) => {
      row(table, [`value of ${symbol(read, j)}`, format(vectors[read].values[j])]);
      row(table, [`local derivative ∂${symbol(k, j)}/∂${symbol(read, j)}`, format(at(step.slopes[place], j))]);
    });
  }
  if (vectors[k].gradient) row(table, [`∂L/∂${symbol(k, j)}`, format(vectors[k].gradient[j])]);
  if (readers(k).length > 1) {
    row(table, ["read by", readers(k).map((s) => letter(makes(s))).join(", ")]);
    add(box, "p", { class: "faint" }, "Its gradient is the sum of what comes back from each of them.");
  }
  readers(k).filter((s) => steps[s].units).forEach((s) => {
    add(box, "h3", {}, `Weights that ${symbol(k, j)} is multiplied by`);
    weightTable(box, s, Object.keys(steps[s].units).flatMap((unit) =>
      steps[s].units[unit].terms.filter(([i]) => i === j).map((term) => [term, Number(unit)])));
  });
  overTraining(box, k, j);
}

function weightTable(box, s, terms) {
  const scroll = add(box, "div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Weights" });
  const table = add(scroll, "table");
  row(table, ["weight", "input", "× weight", "= term", "∂L/∂w"], "th");
  terms.forEach(([[i, w], unit]) => {
    const x = vectors[source(s)].values[i];
    const line = row(table, ["", format(x), format(w), format(x * w), format(x * vectors[makes(s)].gradient[unit])]);
    const button = add(line.firstChild, "button", { type: "button" }, weightSymbol(s, i, unit));
    button.addEventListener("click", () => choose({ step: s, unit, input: i }));
    line.lastChild.classList.add("gradient");
  });
  return table;
}

function unitDetail(box, s, j) {
  const unit = steps[s].units[j];
  const k = makes(s), inputs = vectors[source(s)], next = activation(s);
  const z = vectors[k].values[j], dz = vectors[k].gradient[j];
  const z_ = symbol(k, j), name = named(k, j) || (next !== null && named(makes(next), j));
  add(box, "h3", {}, `Unit ${j} of layer ${steps[s].node}${name ? `, ${name}` : ""}`);
  if (!unit) {
    add(box, "p", {}, "This unit's gradient is small, and its weights are not on the page.");
    add(box, "p", { id: "sum" }, `${z_} = ${format(z)}, ∂L/∂${z_} = ${format(dz)}`);
    return overTraining(box, k, j);
  }
  const terms = unit.terms;
  const bias = unit.bias ? unit.bias[0] : 0;
  const listed = terms.reduce((sum, [i, w]) => sum + w * inputs.values[i], bias);
  const others = inputs.values.length - terms.length;
  const largest = [...terms].sort((a, b) =>
    Math.abs(b[1] * inputs.values[b[0]]) - Math.abs(a[1] * inputs.values[a[0]])).slice(0, 6);
  const sum = add(box, "p", { class: "formula", id: "sum" }, `${z_} = `);
  sum.append(unit.bias ? `b + Σ x w = ${format(bias)} ` : "Σ x w = ");
  largest.forEach(([i, w]) => {
    sum.append(`+ ${bracketed(inputs.values[i])} · ${bracketed(w)} `);
  });
  const rest = inputs.values.length - largest.length;
  const spelt = largest.reduce((total, [i, w]) => total + w * inputs.values[i], bias);
  if (rest > 0) sum.append(`${signed(z - spelt)} (${rest} more) `);
  sum.append(`= ${format(z)}`);

  const table = add(box, "table", { id: "chain" });
  row(table, [`sum ${z_}`, format(z)]);
  if (next !== null) {
    const made = makes(next), y = vectors[made].values[j], dy = vectors[made].gradient;
    row(table, [`activation ${symbol(made, j)} = ${steps[next].name.replace(/^Activation\('?|'?\)$/g, "")}(${z_})`, format(y)]);
    if (steps[next].slope && dy) {
      row(table, ["local derivative", format(slopeOf(next, j))]);
      row(table, [`incoming gradient ∂L/∂${symbol(made, j)}`, format(dy[j])]);
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
  if (steps[s].colors && !inputs.at && inputs.count > 8) {
    add(box, "h3", {}, "All its weights, and their gradients");
    const wide = vectors[k].values.length;
    const [top, letters] = steps[s].colors;
    const weights = inputs.values.map((_, i) => ((alphabet.indexOf(letters[i * wide + j]) - 31) / 31) * top);
    const shape = shapeOf(source(s));
    const onPick = (i) => terms.some(([listedInput]) => listedInput === i) && choose({ step: s, unit: j, input: i });
    strip(box, source(s), weights, { shape, label: `about w[i,${j}]`, onPick });
    strip(box, source(s), inputs.values.map((x) => x * dz), { shape, label: `∂L/∂w[i,${j}]`, onPick });
  }
  add(box, "h3", {}, "Its sum, term by term");
  const list = weightTable(box, s, terms.map((term) => [term, j]));
  if (others > 0) row(list, [`${others} more`, "", "", format(z - listed), ""]);
  overTraining(box, k, j);
}

function weightDetail(box, s, i, j) {
  const [, w, difference, update] = steps[s].units[j].terms.find(([input]) => input === i);
  const x = vectors[source(s)].values[i], dz = vectors[makes(s)].gradient[j];
  const gradient = x * dz, w_ = weightSymbol(s, i, j);
  add(box, "h3", {}, `Weight ${w_}`);
  const table = add(box, "table", { id: "weight" });
  row(table, ["weight", format(w)]);
  row(table, [`gradient ∂L/∂w = ${symbol(source(s), i)} · ∂L/∂${symbol(makes(s), j)}`, format(gradient)]);
  row(table, ["finite difference (L(w + h) − L(w − h)) / 2h", format(difference)]);
  row(table, [`update by ${data.optimizer}`, format(update)]);
  row(table, ["weight after it", format(update === null ? null : w + update)]);

  const factors = path(s, i, j);
  add(box, "h3", {}, "One path of the gradient, from the loss to this weight");
  if (!factors) {
    add(box, "p", {}, "Behind this layer every input has a part in every output, or several layers read what it "
      + "gives: there is no single path.");
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

/** Factors from the weight on: [text, value]; null where a step mixes all of its inputs, or several read. */
function path(s, i, j) {
  const factors = [[symbol(source(s), i), vectors[source(s)].values[i]]];
  let unit = j, dense = s, last = makes(s);
  for (;;) {
    const next = readers(last), ends = outputs.some(({ vector }) => vector === last);
    if (next.length === 0) break;
    if (next.length > 1 || ends || steps[next[0]].reads.length > 1) return null;
    const step = steps[next[0]], made = makes(next[0]);
    if (step.units) {
      if (!steps[dense].next) return null;
      const to = steps[dense].next[0][unit], w = steps[dense].next[1][unit];
      factors.push([weightSymbol(next[0], unit, to), w]);
      unit = to;
      dense = next[0];
    } else if (step.slope) {
      factors.push([`∂${symbol(made, unit)}/∂${symbol(last, unit)}`, at(step.slope, unit)]);
    } else if (vectors[made].gradient) {
      return null;
    } else {
      break; // what the loss takes over
    }
    last = made;
  }
  factors.push([`∂L/∂${symbol(last, unit)}`, vectors[last].gradient[unit]]);
  return factors;
}
