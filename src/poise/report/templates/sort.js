// A click on a header sorts the table by that column: numbers from the largest, words from A; a second click turns it.
for (const table of document.querySelectorAll("main table")) {
  const headers = [...table.querySelectorAll("thead th")];
  headers.forEach((header, column) => header.querySelector("button")?.addEventListener("click", () => {
    const numeric = header.classList.contains("number");
    const before = header.getAttribute("aria-sort");
    const descending = before ? before === "ascending" : numeric;
    const rows = [...table.tBodies[0].rows];
    const key = (row) => {
      const cell = row.cells[column];
      return numeric ? parseFloat(cell.dataset.key) : cell.textContent;
    };
    rows.sort((one, other) => {
      const [a, b] = [key(one), key(other)];
      if (numeric && (Number.isNaN(a) || Number.isNaN(b))) return Number.isNaN(a) - Number.isNaN(b);
      const order = numeric ? a - b : a.localeCompare(b, undefined, { numeric: true });
      return descending ? -order : order;
    });
    headers.forEach((other) => other.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    table.tBodies[0].append(...rows);
  }));
}
