/** Rows under the heads: what happens when, and curves of channels; one time axis for all. */

import {ANGLES} from "./clip.js";

const LANE_PX = 22, CURVE_PX = 46, LEAST_SPAN = 0.05, LEAST_ANGLE = 5;
const SILENCE = "SIL";
const NAMES = {phrase: "phrases", word: "words", phoneme: "phonemes", laugh: "laughs", blink: "blinks", nod: "nods"};

export class Tracks {
  constructor(root, app) {
    Object.assign(this, {root, app, rows: [], span: 0, start: 0});
    this.list = root.querySelector(".rows");
    this.playhead = root.querySelector(".playhead");
    new ResizeObserver(() => this.draw()).observe(this.list);
    this.list.addEventListener("pointerdown", event => this.grab(event));
    this.list.addEventListener("pointermove", event => event.buttons === 1 && this.held && this.seek(event));
    addEventListener("pointerup", () => { this.held = false; });
  }

  /** Make the rows for the clips and channels that are shown. */
  rebuild() {
    const {app} = this, clip = app.active;
    const kinds = app.kinds.filter(kind => clip.events.some(event => event.kind === kind));
    this.rows = [
      ...kinds.map(kind => this.row(kind, NAMES[kind] ?? `${kind}s`, LANE_PX)),
      ...app.channels.map(name => this.row(name, name, CURVE_PX)),
    ];
    this.list.replaceChildren(...this.rows.map(row => row.element));
    this.draw();
  }

  row(key, title, height) {
    const element = document.createElement("div"), label = document.createElement("div");
    const name = document.createElement("span"), value = document.createElement("output");
    const canvas = document.createElement("canvas");
    name.textContent = title;
    name.title = title;
    element.className = height === LANE_PX ? "row lane" : "row";
    label.className = "label";
    label.append(name, value);
    canvas.style.height = `${height}px`;
    canvas.setAttribute("role", "img");
    element.append(label, canvas);
    return {key, element, canvas, value, height, isLane: height === LANE_PX};
  }

  grab(event) {
    if (!(event.target instanceof HTMLCanvasElement)) return;
    this.held = true;
    event.target.setPointerCapture(event.pointerId);
    this.seek(event);
  }

  seek(event) {
    const box = this.rows[0].canvas.getBoundingClientRect();
    const share = Math.max(0, Math.min(1, (event.clientX - box.left) / box.width));
    this.app.seek(this.start + share * this.length);
  }

  get length() {
    return Math.min(this.span || Infinity, this.app.playback.duration);
  }

  /** Draw all rows for the window of time that is visible. */
  draw() {
    if (!this.rows.length) return;
    this.scroll();
    const style = getComputedStyle(document.documentElement), ratio = Math.min(devicePixelRatio, 2);
    const color = name => style.getPropertyValue(name).trim();
    for (const row of this.rows) {
      const {canvas} = row, width = canvas.clientWidth;
      if (!width) continue;
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(row.height * ratio);
      const pen = canvas.getContext("2d");
      pen.scale(ratio, ratio);
      if (row.isLane) this.drawLane(pen, row, width, color);
      else this.drawCurves(pen, row, width, color);
    }
    this.update();
  }

  drawLane(pen, row, width, color) {
    const events = this.app.active.events.filter(event => event.kind === row.key);
    const perSecond = width / this.length;
    pen.font = `11px ${color("--font")}`;
    pen.textBaseline = "middle";
    pen.textAlign = "center";
    for (const {start, end, label, strength} of events) {
      const x = (start - this.start) * perSecond, long = Math.max(2, (end - start) * perSecond - 1);
      if (x + long < 0 || x > width) continue;
      pen.globalAlpha = label === SILENCE ? 0.3 : 0.3 + 0.7 * (strength ?? 1);
      pen.fillStyle = color(`--${row.key}`) || color("--accent");
      pen.beginPath();
      pen.roundRect(x, 3, long, row.height - 6, Math.min(3, long / 2));
      pen.fill();
      pen.globalAlpha = 1;
      if (!label || pen.measureText(label).width > long - 4) continue;
      pen.fillStyle = color(label === SILENCE ? "--ink" : "--on-event");
      pen.fillText(label, x + long / 2, row.height / 2 + 0.5);
    }
    row.canvas.setAttribute("aria-label", `${events.length} ${NAMES[row.key] ?? row.key}`);
  }

  drawCurves(pen, row, width, color) {
    const {app} = this, isAngle = ANGLES.includes(row.key);
    const curves = app.shown.map(clip => ({clip, values: app.curve(clip, row.key)})).filter(({values}) => values);
    let [low, high] = isAngle ? [-LEAST_ANGLE, LEAST_ANGLE] : [0, LEAST_SPAN];
    for (const {values} of curves) {
      for (const value of values) {
        if (value < low) low = value;
        else if (value > high) high = value;
      }
    }
    const y = value => row.height - 4 - (value - low) / (high - low) * (row.height - 8);
    pen.fillStyle = color("--line");
    pen.fillRect(0, Math.round(y(0)), width, 1);
    pen.lineJoin = "round";
    pen.lineWidth = 1.5;
    for (const {clip, values} of curves) {
      pen.strokeStyle = app.colorOf(clip);
      trace(pen, values, clip.fps, this.start, this.length, width, y);
    }
    row.canvas.setAttribute("aria-label", `${row.key}, from ${low.toFixed(2)} to ${high.toFixed(2)}`);
  }

  /** Move the window so that the time is in it. */
  scroll() {
    const {time, duration} = this.app.playback;
    const middle = Math.max(0, Math.min(duration - this.length, time - this.length / 2));
    const moved = middle !== this.start;
    this.start = middle;
    return moved;
  }

  /** Show the present. */
  update() {
    if (!this.rows.length) return;
    if (this.scroll()) {
      this.draw();
      return;
    }
    const {app} = this, time = app.playback.time, box = this.rows[0].canvas;
    const x = box.offsetLeft + (time - this.start) / this.length * box.clientWidth;
    this.playhead.style.transform = `translateX(${x}px)`;
    for (const row of this.rows) {
      const text = row.isLane ? eventAt(app.active.events, row.key, time) : valueAt(app, row.key, time);
      if (row.value.textContent !== text) row.value.textContent = text;
    }
  }
}

function eventAt(events, kind, time) {
  const event = events.find(e => e.kind === kind && e.start <= time && time < e.end);
  return event ? event.label || "\u25cf" : "";
}

function valueAt(app, name, time) {
  const curve = app.curve(app.active, name);
  if (!curve) return "";
  const value = curve[app.active.frameAt(time)];
  return ANGLES.includes(name) ? `${value.toFixed(1)}\u00b0` : value.toFixed(2);
}

/** Draw a curve; where many frames share a pixel, from their lowest to their highest value. */
function trace(pen, values, fps, start, length, width, y) {
  const perPixel = length * fps / width, first = Math.max(0, Math.floor(start * fps));
  const last = Math.min(values.length - 1, Math.ceil((start + length) * fps));
  const x = frame => (frame / fps - start) / length * width;
  pen.beginPath();
  if (perPixel <= 2) for (let frame = first; frame <= last; frame++) pen.lineTo(x(frame), y(values[frame]));
  for (let frame = first; perPixel > 2 && frame <= last; frame += perPixel) {
    let low = Infinity, high = -Infinity;
    for (let i = Math.floor(frame); i < Math.min(values.length, frame + perPixel); i++) {
      low = Math.min(low, values[i]);
      high = Math.max(high, values[i]);
    }
    pen.lineTo(x(frame), y(low));
    pen.lineTo(x(frame), y(high));
  }
  pen.stroke();
}
