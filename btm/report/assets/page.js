"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // A press of a button of any kind: click, Enter, space.
  function onPress(element, action) {
    element.addEventListener("click", action);
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      action();
    });
  }

  // ---- tables: a click on a title sorts, numbers by value; empty cells stay last

  function sortBy(table, column, header) {
    const down = header.getAttribute("aria-sort") === "ascending";
    const body = table.tBodies[0];
    const value = (row) => {
      const cell = row.cells[column];
      return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent;
    };
    const compare = (a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
      return down ? -order : order;
    };
    body.append(...[...body.rows].sort(compare));
    for (const other of all("th[aria-sort]", table)) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
  }

  for (const table of all("table")) {
    [...table.tHead.rows].at(-1).querySelectorAll("th").forEach((header, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = header.textContent;
      header.replaceChildren(button);
      button.addEventListener("click", () => sortBy(table, column, header));
    });
  }

  // ---- tooltips: at once, where the pointer is, instead of the browser's

  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);
  for (const title of all(".plot title")) {
    const owner = title.parentNode;
    owner.setAttribute("aria-label", title.textContent);
    if (!owner.matches(".plot")) owner.dataset.tip = title.textContent;
    title.remove();
  }
  document.addEventListener("pointermove", (event) => {
    const owner = event.target.closest?.("[data-tip]");
    tip.hidden = !owner;
    if (!owner) return;
    tip.textContent = owner.dataset.tip;
    const room = 14;
    const left = Math.min(event.clientX + room, innerWidth - tip.offsetWidth - room);
    const below = event.clientY + room + tip.offsetHeight < innerHeight;
    tip.style.left = `${Math.max(left, 0)}px`;
    tip.style.top = `${below ? event.clientY + room : event.clientY - room - tip.offsetHeight}px`;
  });
  addEventListener("scroll", () => { tip.hidden = true; }, true);

  // ---- plots: entries of the legend hide and show; what the pointer is on stands out

  function standOut(plot, chosen) {
    for (const element of all(".hot", plot)) element.classList.remove("hot");
    for (const element of chosen) element.classList.add("hot");
    plot.classList.toggle("focus", chosen.length > 0);
  }

  function hover(element, plot, choose) {
    for (const name of ["pointerenter", "focus"]) element.addEventListener(name, () => standOut(plot, choose()));
    for (const name of ["pointerleave", "blur"]) element.addEventListener(name, () => standOut(plot, []));
  }

  for (const plot of all(".plot")) {
    for (const key of all(".key", plot)) {
      const series = () => all(`.series[data-key="${key.dataset.key}"]`, plot);
      const set = (shown) => {
        for (const element of [key, ...series()]) element.classList.toggle("off", !shown);
        key.setAttribute("aria-pressed", shown);
      };
      key.setAttribute("role", "button");
      key.setAttribute("tabindex", "0");
      key.setAttribute("aria-label", key.textContent.trim());
      set(!key.classList.contains("spare"));
      onPress(key, () => set(key.classList.contains("off")));
      hover(key, plot, () => (key.classList.contains("off") ? [] : series()));
    }
    for (const line of all(".series > .line", plot)) hover(line, plot, () => [line.parentNode]);

    // A node of the lineage with all that it came from and all that came from it.
    const ribbons = all(".ribbon[data-from]", plot);
    const reach = (start, from, to) => {
      const found = new Set([start]);
      const used = [];
      for (const node of found) {
        for (const ribbon of ribbons) {
          if (ribbon.dataset[from] !== node) continue;
          used.push(ribbon);
          found.add(ribbon.dataset[to]);
        }
      }
      return [...used, ...all(".node", plot).filter((node) => found.has(node.dataset.node))];
    };
    for (const node of all(".node", plot)) {
      const name = node.dataset.node;
      hover(node, plot, () => [...reach(name, "from", "to"), ...reach(name, "to", "from")]);
    }
  }

  // ---- views of one thing: buttons that show one at a time

  for (const figures of all(".alternatives")) {
    const choice = document.createElement("div");
    choice.className = "choice";
    const views = [...figures.children];
    const buttons = views.map((view) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = view.querySelector("h3").textContent;
      return button;
    });
    const show = (chosen) => views.forEach((view, i) => {
      view.hidden = i !== chosen;
      buttons[i].setAttribute("aria-pressed", i === chosen);
    });
    buttons.forEach((button, i) => button.addEventListener("click", () => show(i)));
    choice.append(...buttons);
    figures.before(choice);
    show(0);
  }
})();
