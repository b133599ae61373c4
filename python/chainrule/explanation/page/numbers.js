// SPDX-License-Identifier: Apache-2.0
// The page's data: numbers, what they are called and how they are written. Vector 0 is the row, vector k
// what step k - 1 makes of vector k - 1.

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
