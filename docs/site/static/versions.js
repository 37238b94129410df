// The version switch. A site that holds several versions, each in a folder, has a file versions.json beside the
// folders: ["1.1", "1.0"]. Without that file, the switch shows only the version of this page.
(async () => {
  const box = document.querySelector(".clock-versions");
  if (!box || location.protocol === "file:") return;
  const root = new URL(box.dataset.root || "./", location.href);
  const versions = await fetch(new URL("../versions.json", root))
    .then((answer) => (answer.ok ? answer.json() : []))
    .catch(() => []);
  if (versions.length === 0) return;
  const select = box.querySelector("select");
  const here = root.pathname.split("/").at(-2);
  select.replaceChildren(
    ...versions.map((version) => new Option(version, version, version === here, version === here)),
  );
  select.addEventListener("change", async () => {
    const folder = new URL(`../${select.value}/`, root);
    const page = new URL(box.dataset.page, folder);
    const found = await fetch(page, { method: "HEAD" }).then((answer) => answer.ok, () => false);
    location.assign(found ? page : folder);
  });
})();
