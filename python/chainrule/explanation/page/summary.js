// SPDX-License-Identifier: Apache-2.0
// What stands at the top, and the slider over the training.

function summary() {
  const box = document.getElementById("summary");
  box.replaceChildren();
  const now = data.history.length ? data.history[shown] : { loss: data.loss.value };
  add(box, "p", {}, data.network.join(", "), `; ${data.parameters} parameters.`);
  const line = add(box, "p", {}, `Loss (${data.loss.kind}): `);
  add(line, "strong", { id: "loss" }, format(now.loss));
  line.append(` for the target ${data.loss.target}; the network gives `);
  const given = outputs.map(({ vector, name: called }) => {
    const values = valuesOf(vector);
    const best = places[vector].reduce((b, j) => (values[j] > values[b] ? j : b));
    const name = named(vector, best);
    const largest = values.length > 1 ? ` as its largest output${name ? `, ${name}` : ""}` : "";
    return `${symbol(vector, best)} = ${format(values[best])}${largest}${outputs.length > 1 ? ` (${called})` : ""}`;
  });
  line.append(`${given.join("; ")}.`);
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
