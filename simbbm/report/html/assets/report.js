// The rows that the reader wants to see.

const rows = [...document.querySelectorAll("[data-row]")];
const parts = [...document.querySelectorAll("table, table tbody, .spaces")];
const said = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

function filter() {
  const words = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const marked = byId("unexpected").checked;
  let left = 0;
  for (const row of rows) {
    const about = said.get(row) + above(row);
    row.hidden = !words.every((word) => about.includes(word)) || (marked && !row.matches(".bad, .open"));
    left += !row.hidden;
  }
  for (const part of parts) part.hidden = !part.querySelector("[data-row]:not([hidden])");
  byId("count").textContent = words.length || marked ? `${left} of ${rows.length} rows` : "";
}

// What stands above a row belongs to it.
function above(row) {
  const head = row.closest("tbody")?.querySelector(".routine") ?? row.closest("table")?.caption;
  return head ? ` ${head.textContent.toLowerCase()}` : "";
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.key === "Escape" && event.target === byId("filter")) {
    byId("filter").value = "";
    filter();
    byId("filter").blur();
  }
  if (event.target === byId("filter")) return;
  if (event.key === "d") nextTheme();
  if (event.key === "/") {
    event.preventDefault();
    byId("filter").focus();
  }
});
byId("filter").addEventListener("input", filter);
byId("unexpected").addEventListener("change", filter);
const form = document.querySelector(".filter");
form.addEventListener("submit", (event) => event.preventDefault());
form.hidden = false;
filter();
