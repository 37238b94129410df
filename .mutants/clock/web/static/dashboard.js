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

  // The palette goes to a page, an event or a queue by a part of its name.
  const palette = document.getElementById("palette");
  const show = async (text) => {
    const answer = await fetch(`${palette.dataset.go}?format=json&q=${encodeURIComponent(text)}`);
    if (!answer.ok || text !== palette.querySelector("input").value) return;
    const items = (await answer.json()).slice(0, 10).map(({ name, link }) => {
      const item = document.createElement("li");
      const to = document.createElement("a");
      to.href = link;
      to.textContent = name;
      item.append(to);
      return item;
    });
    palette.querySelector("ul").replaceChildren(...items);
  };
  const open = () => {
    palette.showModal();
    palette.querySelector("input").value = "";
    show("");
  };
  if (palette) {
    palette.addEventListener("input", (event) => show(event.target.value));
    palette.addEventListener("keydown", (event) => {
      const links = [...palette.querySelectorAll("a")];
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step && links.length) {
        event.preventDefault();
        const at = links.indexOf(document.activeElement) + step;
        (at < 0 ? palette.querySelector("input") : links[Math.min(at, links.length - 1)]).focus();
      } else if (event.key === "Enter" && event.target.matches("input") && links.length) links[0].click();
    });
  }

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
    if (palette && palette.open) return undefined;
    if ((event.ctrlKey || event.metaKey) && event.key === "k" && palette) {
      event.preventDefault();
      return open();
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return undefined;
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
    } else if (event.key === "p" && palette) { event.preventDefault(); open(); }
    else if (event.key === "j") move(1);
    else if (event.key === "k") move(-1);
    else if (event.key === "g") waiting = true;
    else if (event.key === "?") document.querySelector("footer a[href$='/help']").click();
    return undefined;
  });
})();
