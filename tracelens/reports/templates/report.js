"use strict";
(() => {
  const key = (cell) => {
    const text = cell.dataset.value ?? cell.textContent.trim();
    const number = Number(text);
    return text !== "" && !Number.isNaN(number) ? number : text.toLowerCase();
  };
  const compare = (a, b) =>
    typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1;
  for (const table of document.querySelectorAll("table.data")) {
    const body = table.tBodies[0];
    if (!body || body.rows.length < 3) continue;
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      button.title = "Sort by this column";
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...body.rows].sort((a, b) => compare(key(a.cells[column]), key(b.cells[column])));
        body.append(...(up ? rows : rows.reverse()));
      });
    });
    if (body.rows.length < 6) continue;
    const name = table.caption ? table.caption.textContent.trim() : "table";
    const line = document.createElement("p");
    line.className = "filter";
    const label = document.createElement("label");
    label.textContent = "Filter rows: ";
    const input = document.createElement("input");
    input.type = "search";
    input.setAttribute("aria-label", "Filter rows: " + name);
    const said = document.createElement("span");
    said.setAttribute("aria-live", "polite");
    label.append(input);
    line.append(label, " ", said);
    (table.closest(".scroll") ?? table).before(line);
    input.addEventListener("input", () => {
      const wanted = input.value.trim().toLowerCase();
      let shown = 0;
      for (const row of body.rows) {
        row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
        shown += row.hidden ? 0 : 1;
      }
      said.textContent = wanted === "" ? "" : shown + " of " + body.rows.length + " rows";
    });
  }
})();
