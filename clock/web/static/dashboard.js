// Comfort only: every page and action works without this file.
"use strict";
(() => {
  const REFRESH_MS = 4000;
  const main = () => document.getElementById("main");

  // A page that shows what changes asks for itself again, while somebody may see it and nobody types.
  setInterval(() => {
    const busy = document.activeElement && document.activeElement.matches("input, select, textarea");
    const picked = document.querySelector("#main input[type=checkbox]:checked");
    if (!document.hidden && !busy && !picked && main().hasAttribute("data-hx-get")) {
      htmx.trigger(main(), "refresh");
    }
  }, REFRESH_MS);

  // Long work goes on step by step.
  const next = document.querySelector("form[data-continue]");
  if (next) setTimeout(() => next.requestSubmit(), 100);

  // The viewer's zone is offered where none was chosen.
  const zone = document.querySelector("input[data-zone]");
  if (zone && zone.value === "UTC") zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

  const rows = () => [...document.querySelectorAll("#main tbody a.name")];
  const move = (step) => {
    const all = rows();
    const at = all.indexOf(document.activeElement);
    const to = all[Math.max(0, Math.min(all.length - 1, at < 0 && step < 0 ? 0 : at + step))];
    if (to) to.focus();
  };
  const go = { s: 0, t: 1, q: 2, b: 3, r: 4, d: 5 };
  let waiting = false;

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.matches("input:not([type=checkbox]), select, textarea");
    if (event.key === "Escape" && typing) return event.target.blur();
    if (typing) return undefined;
    if (waiting) {
      waiting = false;
      const link = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
      if (event.key in go && link) link.click();
      return undefined;
    }
    if (event.key === "/") {
      const search = document.querySelector("#main [role=search] input");
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    } else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "g") waiting = true;
    else if (event.key === "?") document.querySelector("footer a[href$='/help']").click();
    return undefined;
  });
})();
