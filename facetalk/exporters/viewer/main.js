/** Starts the page, and is what scripts may use as `window.facetalk`. */

import {Camera} from "./camera.js";
import {ANGLES, Clip} from "./clip.js";
import {Head} from "./head.js";
import {Interface, find} from "./interface.js";
import {Playback} from "./playback.js";
import {Renderer} from "./renderer.js";
import {Tracks} from "./tracks.js";
import {PackedArrays, bytesOf, inflated} from "./unpack.js";

const MOST_SHOWN = 4, NUM_COLORS = 8;
const USUAL_CHANNELS = ["jawOpen", "mouthClose", "mouthPucker", "mouthSmileLeft", "eyeBlinkLeft", "browInnerUp"];

class App {
  constructor(data, arrays) {
    const heads = data.heads.map(entry => new Head(entry, arrays));
    Object.assign(this, {title: data.title, madeBy: data.madeBy, kinds: data.kinds, styles: data.styles});
    this.clips = data.clips.map(entry => new Clip(entry, heads[entry.head], arrays, data.kinds));
    this.shown = this.clips.slice(0, MOST_SHOWN);
    this.active = this.clips[0];
    this.layers = {speech: true, laughter: true};
    this.options = {surface: true, wireframe: false};
    this.channels = this.usualChannels();
    this.camera = new Camera();
    this.playback = new Playback(data.audio);
    this.playback.duration = Math.max(...this.clips.map(clip => clip.duration));
    this.renderer = new Renderer(find("#stage canvas"), data.vertexShader);
    this.heads = heads;
    this.derived = new Map();
  }

  async start() {
    for (const head of this.heads) await this.renderer.addHead(head);
    this.figures = new Map(this.clips.map(clip => [clip, this.renderer.figure(clip)]));
    this.interface = new Interface(this);
    this.tracks = new Tracks(find("#tracks"), this);
    new ResizeObserver(() => this.changed()).observe(find("#stage"));
    this.interface.cells();
    this.choose(this.active);
  }

  /** Ask for a frame: while nothing moves, none is drawn. */
  schedule() {
    if (this.isScheduled) return;
    this.isScheduled = true;
    requestAnimationFrame(now => this.run(now));
  }

  run(now) {
    this.isScheduled = false;
    const {time} = this.playback;
    this.playback.tick(now);
    if (time !== this.playback.time) this.moved();
    if (this.isPlaying !== this.playback.playing) this.switched();
    if (this.isDirty) this.draw();
    if (this.playback.playing) this.schedule();
  }

  /** Channels that are shown first: well-known ones, or those that move most. */
  usualChannels() {
    const {head, expression} = this.active;
    const known = USUAL_CHANNELS.filter(name => head.channels.includes(name));
    if (known.length > 2) return [...known, "turn"];
    const far = curve => quantile(curve, 0.98) - quantile(curve, 0.02);
    const reach = head.channels.map((name, i) => [name, far(expression[i])]);
    return [...reach.sort((a, b) => b[1] - a[1]).slice(0, 5).map(([name]) => name), "turn"];
  }

  colorOf(clip) {
    const name = `--c${this.clips.indexOf(clip) % NUM_COLORS}`;
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  /** A curve with the layers that are switched on. */
  curve(clip, name) {
    const key = `${this.clips.indexOf(clip)} ${name} ${this.layers.speech} ${this.layers.laughter}`;
    if (!this.derived.has(key)) this.derived.set(key, clip.curve(name, this.layers));
    return this.derived.get(key);
  }

  toggle() {
    if (this.playback.playing) this.playback.pause();
    else this.playback.play();
    this.switched();
  }

  seek(time) {
    this.playback.seek(time);
    this.moved();
  }

  step(frames) {
    if (this.playback.playing) this.toggle();
    const {fps} = this.active, frame = this.active.frameAt(this.playback.time) + frames;
    this.seek(Math.min(frame, this.active.frames - 1) / fps);
  }

  /** Switch options of the view, layers of the motion, playback, or the span of time of the tracks. */
  set(changes) {
    for (const [name, value] of Object.entries(changes)) {
      if (name in this.options) this.options[name] = value;
      else if (name in this.layers) this.layers[name] = value;
      else if (name === "span") this.tracks.span = value;
      else if (name in this.playback) this.playback.set({[name]: value});
    }
    this.switched();
    this.tracks.draw();
    this.changed();
  }

  /** Hear a clip, and show what is known about it. */
  choose(clip) {
    this.active = clip;
    this.playback.listen(clip.audio);
    this.interface.facts();
    this.tracks.rebuild();
    this.switched();
    this.moved();
  }

  show(clip, wanted) {
    const shown = this.clips.filter(other => (other === clip ? wanted : this.shown.includes(other)));
    if (!shown.length) {
      this.interface.clips();
      return;
    }
    this.shown = shown;
    this.interface.cells();
    this.choose(shown.includes(this.active) ? this.active : shown[0]);
  }

  showChannel(name, wanted) {
    const order = [...ANGLES, ...new Set(this.clips.flatMap(clip => clip.head.channels))];
    const kept = new Set(this.channels);
    if (wanted) kept.add(name);
    else kept.delete(name);
    this.channels = order.filter(other => kept.has(other));
    this.tracks.rebuild();
  }

  look(azimuth) {
    this.camera.reset();
    this.turn(azimuth, 0);
  }

  turn(azimuth, elevation) {
    this.camera.turn(azimuth, elevation);
    this.changed();
  }

  approach(factor) {
    this.camera.approach(factor);
    this.changed();
  }

  recolor() {
    this.interface.styles();
    this.interface.clips();
    this.interface.cells();
    this.interface.update();
    this.tracks.draw();
    this.changed();
  }

  changed() {
    this.isDirty = true;
    this.schedule();
  }

  moved() {
    this.interface.tick();
    this.tracks.update();
    this.changed();
  }

  switched() {
    this.isPlaying = this.playback.playing;
    this.interface.update();
    if (this.isPlaying) this.schedule();
  }

  draw() {
    this.isDirty = false;
    const stage = find("#stage"), {canvas} = this.renderer, ratio = Math.min(devicePixelRatio, 2);
    const [width, height] = [stage.clientWidth, stage.clientHeight].map(side => Math.round(side * ratio));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, {width, height});
    this.arrange(stage);
    const lineColor = colorParts(getComputedStyle(stage).getPropertyValue("--wire"));
    const base = canvas.getBoundingClientRect();
    this.renderer.clear();
    [...find("#cells").children].forEach((cell, index) => {
      const clip = this.shown[index], figure = this.figures.get(clip), box = cell.getBoundingClientRect();
      const place = {x: box.left - base.left, y: base.bottom - box.bottom, width: box.width, height: box.height};
      for (const side of Object.keys(place)) place[side] = Math.round(place[side] * ratio);
      this.renderer.pose(figure, clip.frameAt(this.playback.time), this.layers);
      this.renderer.draw(figure, this.camera, place, {...this.options, lineColor});
    });
  }

  /** As many columns as make the heads largest. */
  arrange({clientWidth, clientHeight}) {
    const count = this.shown.length;
    const size = columns => Math.min(clientWidth / columns, clientHeight / Math.ceil(count / columns));
    const best = Array.from({length: count}, (_, i) => i + 1).reduce((a, b) => (size(b) > size(a) ? b : a));
    find("#cells").style.gridTemplateColumns = `repeat(${best}, minmax(0, 1fr))`;
  }

  /** What a script may use: see docs/viewer.md. */
  interfaceForScripts() {
    const clipAt = index => this.clips[index];
    return {
      clips: this.clips.map(({name, fps, frames, duration, head}) => (
        {name, fps, frames, duration, channels: head.channels}
      )),
      get time() { return app.playback.time; },
      get playing() { return app.playback.playing; },
      get audioTime() { return app.playback.audio?.currentTime ?? null; },
      play: () => { if (!this.playback.playing) this.toggle(); },
      pause: () => { if (this.playback.playing) this.toggle(); },
      seek: time => this.seek(time),
      step: frames => this.step(frames),
      set: changes => this.set(changes),
      look: degrees => this.look(degrees * Math.PI / 180),
      frame: (index = 0) => clipAt(index).frameAt(this.playback.time),
      weights: (index, frame) => {
        const clip = clipAt(index), values = clip.expressionAt(frame, this.layers);
        return Object.fromEntries(clip.head.channels.map((name, i) => [name, values[i]]));
      },
      vertices: (index, frame) => {
        const figure = this.figures.get(clipAt(index));
        this.renderer.pose(figure, frame, this.layers);
        return Array.from(figure.vertices);
      },
    };
  }
}

function quantile(values, share) {
  const sorted = Float32Array.from(values).sort();
  return sorted[Math.floor(share * (sorted.length - 1))];
}

/** Red, green, blue and opacity with premultiplied color, of `20,48,84,.5`. */
function colorParts(text) {
  const [r, g, b, a] = text.split(",").map(Number);
  return [r, g, b].map(value => value / 255 * a).concat(a);
}

let app;
document.documentElement.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
try {
  const data = JSON.parse(find("#data").textContent);
  app = new App(data, new PackedArrays(await inflated(bytesOf(data.arrays))));
  await app.start();
  window.facetalk = app.interfaceForScripts();
  document.body.dataset.ready = "yes";
} catch (error) {
  find("#trouble").hidden = false;
  find("#trouble").textContent = `The heads cannot be shown: ${error.message}`;
  document.body.dataset.ready = "no";
  throw error;
}
