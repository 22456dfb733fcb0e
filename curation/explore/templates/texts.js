// The way of showing texts that one chooses stays for the pages that this one leads to: it stands in their addresses.
"use strict";
function keep(address, way) {
  const kept = new URL(address, location);
  way ? kept.searchParams.set("texts", way) : kept.searchParams.delete("texts");
  return kept.pathname + kept.search;
}
document.querySelectorAll(".ways input").forEach((one) => one.addEventListener("change", () => {
  history.replaceState(null, "", keep(location.href, one.value));
  document.querySelectorAll(".around a[rel]").forEach((link) => { link.href = keep(link.href, one.value); });
  document.querySelectorAll("form.label").forEach((form) => { form.action = keep(form.action, one.value); });
}));
// What a judge says under a score at focus goes away with Escape.
addEventListener("keydown", (event) => { if (event.key === "Escape" && event.target.matches?.(".why")) event.target.blur(); });
