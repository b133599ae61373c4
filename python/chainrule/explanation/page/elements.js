// SPDX-License-Identifier: Apache-2.0
// Elements of the page: tags, what can be chosen, strips of squares, and curves.

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
