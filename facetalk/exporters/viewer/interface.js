/** What the user touches: buttons, keys, the heads' cells, and the lists beside them. */

import {ANGLES} from "./clip.js";
import {styleMap} from "./style_map.js";

const RATES = [0.1, 0.25, 0.5, 1, 1.5, 2];
const GROUPS = [["mouth", /^(jaw|mouth|tongue)/], ["eyes", /^eye/], ["brows, cheeks, nose", /^(brow|cheek|nose)/]];
const TURN_PER_PX = 0.008, TURN_PER_KEY = 0.1;

export const find = selector => document.querySelector(selector);

function made(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

export class Interface {
  constructor(app) {
    this.app = app;
    find("#title").textContent = app.title;
    find("#made-by").textContent = `Made by ${app.madeBy}`;
    this.transport();
    this.view();
    this.clips();
    this.channels();
    this.styles();
    this.theme();
    addEventListener("keydown", event => this.key(event));
  }

  transport() {
    const {app} = this, rate = find("#rate");
    for (const value of RATES) rate.append(new Option(`${value}\u00d7`, value, value === 1, value === 1));
    find("#play").onclick = () => app.toggle();
    find("#back").onclick = () => app.step(-1);
    find("#forward").onclick = () => app.step(1);
    find("#scrub").oninput = event => app.seek(event.target.value * app.playback.duration);
    rate.onchange = () => app.set({rate: Number(rate.value)});
    find("#loop").onclick = () => app.set({loop: !app.playback.loop});
    find("#mute").onclick = () => app.set({muted: !app.playback.muted});
    find("#span").onchange = event => app.set({span: Number(event.target.value)});
    find("#keys-open").onclick = () => find("#keys").showModal();
    find("#keys").onclick = event => event.target === event.currentTarget && event.currentTarget.close();
  }

  view() {
    const {app} = this;
    find("#laughter").hidden = !app.clips.some(clip => clip.laughter);
    for (const name of ["surface", "wireframe", "speech", "laughter-layer"]) {
      find(`#${name}`).onchange = event => app.set({[name.split("-")[0]]: event.target.checked});
    }
    for (const button of document.querySelectorAll("[data-azimuth]")) {
      button.onclick = () => app.look(Number(button.dataset.azimuth) * Math.PI / 180);
    }
  }

  /** A cell for each head, and with several of them a list of which are shown. */
  clips() {
    const {app} = this;
    find("#clips-section").hidden = app.clips.length < 2;
    find("#clips").replaceChildren(...app.clips.map(clip => {
      const box = made("input", {type: "checkbox", checked: app.shown.includes(clip)});
      box.onchange = () => app.show(clip, box.checked);
      return made("li", {}, made("label", {}, box, swatch(app.colorOf(clip)), made("span", {textContent: clip.name})));
    }));
  }

  cells() {
    const {app} = this;
    find("#cells").replaceChildren(...app.shown.map(clip => {
      const cell = made("div", {className: "cell", tabIndex: 0});
      cell.setAttribute("role", "group");
      cell.setAttribute("aria-label", `Head of ${clip.name}. Arrows turn it, plus and minus come closer.`);
      if (app.clips.length > 1) {
        const sound = clip.audio === null ? "no audio" : "its audio is heard when chosen";
        const button = made("button", {className: "name", type: "button", title: sound});
        button.onclick = () => app.choose(clip);
        button.append(swatch(app.colorOf(clip)), made("span", {textContent: clip.name}));
        cell.append(button);
      }
      this.turning(cell);
      return cell;
    }));
  }

  /** Drag turns, two fingers or the right button move, wheel and pinch come closer. */
  turning(cell) {
    const {app} = this, fingers = new Map();
    cell.addEventListener("contextmenu", event => event.preventDefault());
    cell.addEventListener("pointerdown", event => {
      if (event.target.closest("button")) return;
      fingers.set(event.pointerId, event);
      cell.setPointerCapture(event.pointerId);
    });
    cell.addEventListener("pointermove", event => {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const [x, y] = [event.clientX - before.clientX, event.clientY - before.clientY];
      const others = [...fingers.values()].filter(other => other.pointerId !== event.pointerId);
      const shorter = Math.min(cell.clientWidth, cell.clientHeight);
      if (others.length) {
        const reach = finger => Math.hypot(finger.clientX - others[0].clientX, finger.clientY - others[0].clientY);
        app.camera.approach(reach(before) / Math.max(1, reach(event)));
        app.camera.move(x / 2 / shorter, y / 2 / shorter);
      } else if (before.buttons === 2 || event.shiftKey) app.camera.move(x / shorter, y / shorter);
      else app.camera.turn(-x * TURN_PER_PX, y * TURN_PER_PX);
      fingers.set(event.pointerId, event);
      app.changed();
    });
    for (const end of ["pointerup", "pointercancel"]) {
      cell.addEventListener(end, event => fingers.delete(event.pointerId));
    }
    cell.addEventListener("dblclick", () => app.look(0));
    cell.addEventListener("wheel", event => {
      event.preventDefault();
      app.camera.approach(Math.exp(event.deltaY * 0.001));
      app.changed();
    }, {passive: false});
  }

  facts() {
    const {active} = this.app, seconds = active.duration.toFixed(2), rate = Number(active.fps.toFixed(3));
    const rows = [["length", `${seconds} s, ${active.frames} frames at ${rate} fps`], ...active.facts];
    find("#facts-title").textContent = this.app.clips.length > 1 ? active.name : "About";
    find("#facts").replaceChildren(...rows.map(([name, value]) => (
      made("div", {}, made("dt", {textContent: name}), made("dd", {textContent: value}))
    )));
  }

  channels() {
    const {app} = this, names = [...new Set(app.clips.flatMap(clip => clip.head.channels))];
    const left = new Set(names), parts = [["head", ANGLES]];
    for (const [title, pattern] of GROUPS) {
      parts.push([title, names.filter(name => pattern.test(name) && left.delete(name))]);
    }
    parts.push(["others", [...left]]);
    find("#channels").replaceChildren(...parts.filter(([, members]) => members.length).map(([title, members]) => (
      made("fieldset", {}, made("legend", {textContent: title}), ...members.map(name => this.channel(name)))
    )));
    find("#channel-search").oninput = event => {
      const wanted = event.target.value.toLowerCase();
      for (const label of document.querySelectorAll("#channels label")) {
        label.hidden = !label.textContent.toLowerCase().includes(wanted);
      }
    };
  }

  channel(name) {
    const box = made("input", {type: "checkbox", value: name, checked: this.app.channels.includes(name)});
    box.onchange = () => this.app.showChannel(name, box.checked);
    return made("label", {}, box, made("span", {textContent: name}));
  }

  styles() {
    const {app} = this;
    find("#styles").hidden = !app.styles;
    if (!app.styles) return;
    styleMap(find("#styles svg"), app.styles, app.clips, clip => app.colorOf(clip));
    find("#styles-about").textContent = "The talker\u2019s styles, and where its encoder places what is shown. " +
      `The map holds ${Math.round(100 * app.styles.share)} % of their differences.`;
  }

  theme() {
    const {dataset} = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)");
    find("#theme").onclick = () => {
      dataset.theme = dataset.theme === "dark" ? "light" : "dark";
      this.app.recolor();
    };
    dark.addEventListener("change", () => {
      dataset.theme = dark.matches ? "dark" : "light";
      this.app.recolor();
    });
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || find("#keys").open) return;
    if (event.target.matches?.("input[type=search], select")) return;
    const {app} = this, cell = event.target.closest?.(".cell"), sign = {ArrowLeft: -1, ArrowRight: 1}[event.key];
    const actions = {
      " ": () => app.toggle(), Home: () => app.seek(0), End: () => app.seek(app.playback.duration),
      "[": () => this.faster(-1), "]": () => this.faster(1),
      w: () => app.set({wireframe: !app.options.wireframe}), l: () => app.set({loop: !app.playback.loop}),
      m: () => app.set({muted: !app.playback.muted}), t: () => find("#theme").click(), r: () => app.look(0),
      1: () => app.set({speech: !app.layers.speech}), 2: () => app.set({laughter: !app.layers.laughter}),
      "?": () => find("#keys").showModal(),
    };
    const turns = {
      ArrowLeft: () => app.turn(-TURN_PER_KEY, 0), ArrowRight: () => app.turn(TURN_PER_KEY, 0),
      ArrowUp: () => app.turn(0, TURN_PER_KEY), ArrowDown: () => app.turn(0, -TURN_PER_KEY),
      "+": () => app.approach(0.9), "=": () => app.approach(0.9), "-": () => app.approach(1.1),
    };
    const steps = sign && {[event.key]: () => (event.shiftKey ? app.seek(app.playback.time + sign) : app.step(sign))};
    if (event.key === " " && event.target.matches?.("button, summary, input[type=checkbox]")) return;
    const action = (cell && turns[event.key]) || steps?.[event.key] || actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  faster(sign) {
    const next = RATES[RATES.indexOf(this.app.playback.rate) + sign];
    if (next) this.app.set({rate: next});
  }

  /** Show the state of everything that can be switched. */
  update() {
    const {app} = this, {playback} = app;
    find("#play").setAttribute("aria-pressed", playback.playing);
    find("#play").setAttribute("aria-label", playback.playing ? "Pause" : "Play");
    document.querySelectorAll(".name").forEach((button, index) => {
      button.setAttribute("aria-pressed", app.shown[index] === app.active);
    });
    find("#loop").setAttribute("aria-pressed", playback.loop);
    find("#mute").setAttribute("aria-pressed", playback.muted);
    find("#mute").disabled = !playback.audio;
    find("#rate").value = playback.rate;
    find("#span").value = app.tracks.span;
    find("#surface").checked = app.options.surface;
    find("#wireframe").checked = app.options.wireframe;
    find("#speech").checked = app.layers.speech;
    find("#laughter-layer").checked = app.layers.laughter;
  }

  /** Show the time. */
  tick() {
    const {playback, active} = this.app, scrub = find("#scrub"), now = clock(playback.time);
    if (document.activeElement !== scrub || playback.playing) scrub.value = playback.time / playback.duration || 0;
    scrub.style.setProperty("--done", `${100 * playback.time / playback.duration}%`);
    scrub.setAttribute("aria-valuetext", `${now} of ${clock(playback.duration)}`);
    find("#time").textContent = now;
    find("#total").textContent = ` / ${clock(playback.duration)}`;
    find("#frame").textContent = `frame ${active.frameAt(playback.time)}`;
  }
}

function swatch(color) {
  const mark = made("i", {className: "swatch"});
  mark.style.background = color;
  return mark;
}

function clock(seconds) {
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(2).padStart(5, "0")}`;
}
