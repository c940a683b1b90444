/** The map of speaking styles: those that the talker knows by name, and where its encoder places the clips. */

const SVG = "http://www.w3.org/2000/svg";
const SIDES = [[0, -8, "middle"], [0, 15, "middle"], [8, 3.5, "start"], [-8, 3.5, "end"]];
const LETTER = 5.4, LINE = 10;

export function styleMap(svg, {names, places}, clips, colorOf) {
  const [xs, ys] = [0, 1].map(axis => places.map(place => place[axis]));
  const low = [Math.min(...xs), Math.min(...ys)], size = [Math.max(...xs) - low[0], Math.max(...ys) - low[1]];
  const span = Math.max(...size) || 1, boxes = [];
  const points = places.map(([x, y]) => [
    30 + 140 * (x - low[0] + (span - size[0]) / 2) / span, 155 - 125 * (y - low[1] + (span - size[1]) / 2) / span,
  ]);
  for (const [x, y] of points) boxes.push([x - 4, y - 4, x + 4, y + 4]);
  svg.replaceChildren(...points.map((point, index) => {
    const clip = clips[index - names.length], name = clip ? clip.name : names[index];
    const shown = !clip ? name : clips.length === 1 ? "this motion" : "";
    const group = drawn("g", {class: clip ? "mine" : "known"}), title = drawn("title", {});
    const dot = drawn("circle", {cx: point[0], cy: point[1], r: clip ? 5 : 3.5});
    const text = drawn("text", placed(point, shown, boxes));
    if (clip) dot.style.fill = colorOf(clip);
    title.textContent = name;
    text.textContent = shown;
    group.append(title, dot, text);
    return group;
  }));
}

/** Where a label covers the fewest others; its box is added to theirs. */
function placed([x, y], text, boxes) {
  const width = LETTER * text.length;
  const choices = SIDES.map(([dx, dy, anchor]) => {
    const left = x + dx - {start: 0, middle: width / 2, end: width}[anchor];
    const box = [left, y + dy - LINE + 2, left + width, y + dy + 2];
    const covered = boxes.filter(other => overlap(box, other)).length + (left < 0 || left + width > 200 ? 1 : 0);
    return {box, covered, place: {x: x + dx, y: y + dy, "text-anchor": anchor}};
  });
  const best = choices.reduce((a, b) => (b.covered < a.covered ? b : a));
  boxes.push(best.box);
  return best.place;
}

function overlap(a, b) {
  return a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
}

function drawn(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
