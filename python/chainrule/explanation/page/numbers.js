// SPDX-License-Identifier: Apache-2.0
// The page's data: numbers, what they are called and how they are written. The first vectors are the rows
// of the inputs, the others what each step makes of the vectors that it reads.

const data = JSON.parse(document.getElementById("data").textContent);
const { vectors, steps, rows, outputs } = data;
const makes = (s) => rows.length + s;
const maker = (k) => steps[k - rows.length];
const readers = (k) => Array.from(steps.keys()).filter((s) => steps[s].reads.includes(k));
// What a dense step reads, and the step of its activation.
const source = (s) => steps[s].reads[0];
const activation = (s) => {
  const next = steps[s + 1];
  return steps[s].units && next && next.layer === steps[s].layer && next.kind === "activation" ? s + 1 : null;
};
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
  const step = maker(k);
  if (!step) return;
  step.slope = spread(k, step.slope);
  if (step.slopes) step.slopes = step.slopes.map((list) => spread(k, list));
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

function letter(k) {
  const step = maker(k);
  if (!step) return rows.length > 1 ? rows[k].name : "x";
  return (activation(k - rows.length) === null ? "y" : "z") + subscripts(step.layer);
}
const symbol = (k, j) => `${letter(k)}[${j}]`;
function named(k, j) {
  if (!maker(k)) return rows[k].feature_names[j] || null;
  const output = outputs.find(({ vector }) => vector === k);
  return (output && output.class_names[j]) || null;
}
/** What a vector is, for headings. */
function title(k) {
  if (maker(k)) return maker(k).name;
  return rows.length > 1 ? rows[k].name : "row";
}
const weightSymbol = (s, i, j) => `w${subscripts(steps[s].layer)}[${i},${j}]`;

/** Numbers as they are, or made of a largest one and a character for each share of it. */
function unpack(packed) {
  if (!packed || typeof packed[1] !== "string") return packed;
  const [largest, letters] = packed;
  return Array.from(letters, (c) => ((alphabet.indexOf(c) - 31) / 31) * largest);
}
const valuesOf = (k) =>
  (maker(k) && shown !== atNow && recorded(shown, "values", k)) || vectors[k].values;
const gradientOf = (k) =>
  shown === atNow ? vectors[k].gradient : recorded(shown, "gradients", k);
/** The values or the gradients of a vector after a recorded step. */
function recorded(step, what, k) {
  const packed = data.history[step][what][what === "values" ? k - rows.length : k];
  return spread(k, unpack(packed));
}

/** The shape of an image, which scaling does not change. */
function shapeOf(k) {
  const { at: some, maps: pictures } = vectors[k];
  if (some || (pictures && pictures.channels.length > 1)) return null;
  if (pictures) return pictures.size;
  const step = maker(k);
  if (!step) return rows[k].shape;
  return step.slope && !step.units ? shapeOf(step.reads[0]) : null;
}
const at = (list, j) => list[list.length > 1 ? j : 0];
const slopeOf = (t, j) => at(steps[t].slope, j);
