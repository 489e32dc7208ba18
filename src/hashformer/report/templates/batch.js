"use strict";
(() => {
  const rows = [...document.querySelectorAll("tbody tr")];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const words = document.getElementById("words");
  const least = document.getElementById("least");
  const kinds = [...document.querySelectorAll("input[name=kind]")];
  const count = document.getElementById("count");

  const show = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const on = new Set(kinds.filter((box) => box.checked).map((box) => box.value));
    const minimum = Number(least.value);
    let shown = 0;
    rows.forEach((row, index) => {
      const fits =
        on.has(row.dataset.kind) &&
        (minimum === 0 || Number(row.dataset.score || -1) >= minimum) &&
        wanted.every((word) => texts[index].includes(word));
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    });
    count.textContent = `${shown} of ${rows.length} files shown`;
  };

  document.getElementById("filter").hidden = false;
  document.getElementById("filter").addEventListener("input", show);
  document.getElementById("filter").addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("filter").addEventListener("reset", () => setTimeout(show));
  show();
})();
