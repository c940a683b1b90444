const data = JSON.parse(document.getElementById("data").textContent);
const svg = document.querySelector("svg"), list = document.querySelector("ul"), choice = document.querySelector("#by");
const xs = data.places.map(p => p[0]), ys = data.places.map(p => p[1]);
const low = [Math.min(...xs), Math.min(...ys)];
const span = Math.max(Math.max(...xs) - low[0], Math.max(...ys) - low[1]) || 1;
const dots = data.places.map((p, i) => {
  const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  dot.setAttribute("cx", 2 + 96 * (p[0] - low[0]) / span);
  dot.setAttribute("cy", 98 - 96 * (p[1] - low[1]) / span);
  dot.setAttribute("r", 1);
  const about = [data.names[i], data.groups.speaker[i], data.groups.emotion[i]].filter(Boolean).join(" \u00b7 ");
  dot.onmouseenter = () => document.querySelector("#detail").textContent = about;
  dot.innerHTML = "<title></title>";
  dot.firstChild.textContent = about;
  return svg.appendChild(dot);
});
for (const name of Object.keys(data.groups)) choice.add(new Option(name, name, false, name === data.by));
let lit = null;
function paint() {
  const groups = data.groups[choice.value], colors = data.colors[choice.value];
  dots.forEach((dot, i) => {
    dot.setAttribute("fill", colors[groups[i]]);
    dot.classList.toggle("dim", lit !== null && groups[i] !== lit);
  });
  list.replaceChildren(...Object.keys(colors).sort().map(name => {
    const row = document.createElement("li"), mark = document.createElement("i");
    mark.style.background = colors[name];
    row.append(mark, name || "unnamed");
    row.onclick = () => { lit = lit === name ? null : name; paint(); };
    return row;
  }));
}
choice.onchange = () => { lit = null; paint(); };
paint();
