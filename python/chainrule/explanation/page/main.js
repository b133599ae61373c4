// SPDX-License-Identifier: Apache-2.0
// What is left out, the button for light and dark, and the beginning.

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
  repaint();
});
summary();
slider();
drawing();
strips();
detail();
notes();
