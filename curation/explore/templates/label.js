// Keys of the buttons, which name them in data-keys. In a field keys are the field's own, and a digit goes on to the next.
"use strict";
const form = document.querySelector("form.label");
const fields = [...form.querySelectorAll("select")];
let sent = false;
form.addEventListener("submit", (event) => { if (sent) event.preventDefault(); sent = true; });
addEventListener("pageshow", () => { sent = false; });
function score(field, key) {
  if (key === "Escape") return field.blur(), true;
  if (![...field.options].some((option) => option.value === key)) return false;
  field.value = key;
  const next = fields[fields.indexOf(field) + 1];
  next ? next.focus() : field.blur();
  return true;
}
function act(key) {
  const folded = [...document.querySelectorAll(".sides details")];
  if (key === "d" && fields.length) return fields[0].focus(), true;
  if (key === "r" && folded.length) {
    const open = !folded[0].open;
    folded.forEach((one) => { one.open = open; });
    return true;
  }
  const button = [...form.querySelectorAll("button[data-keys]")].find((one) => one.dataset.keys.split(" ").includes(key));
  if (button) button.click();
  return Boolean(button);
}
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const at = event.target;
  if (at.matches?.("input, textarea")) return;
  if (at.matches?.("select") ? score(at, event.key) : act(event.key)) event.preventDefault();
});
