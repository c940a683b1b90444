/** A motion: its curves frame by frame, with and without what laughter adds. */

import {anglesOf, matrixOf, product} from "./rotations.js";

const JAW = 6;
/** First row of the jaw's rotation among those of the five joints. */

export const ANGLES = ["turn", "nod", "tilt"];

export class Clip {
  constructor(entry, head, arrays, kinds) {
    Object.assign(this, {head, name: entry.name, fps: entry.fps, frames: entry.frames, camera: entry.camera});
    Object.assign(this, {facts: entry.facts, audio: entry.audio});
    this.duration = this.frames / this.fps;
    this.expression = arrays.rows(entry.expression);
    this.poses = arrays.rows(entry.poses);
    this.transl = arrays.rows(entry.transl);
    this.laughter = entry.laughter ? arrays.rows(entry.laughter) : null;
    const [x, y, z] = arrays.rows(entry.template);
    const template = new Float32Array(3 * head.count);
    for (let v = 0; v < head.count; v++) template.set([x[v], y[v], z[v]], 3 * v);
    this.identity = {template, joints: entry.joints};
    this.events = entry.events.map(([kind, start, end, label, strength]) => (
      {kind: kinds[kind], start, end, label, strength}
    ));
    this.angles = this.anglesOfFrames();
  }

  frameAt(time) {
    return Math.max(0, Math.min(this.frames - 1, Math.floor(time * this.fps + 1e-6)));
  }

  /** Coefficients of a frame, in the order of `head.channels`. */
  expressionAt(frame, layers) {
    return this.expression.map((curve, channel) => this.layered(curve[frame], channel, frame, layers));
  }

  /** Axis-angle of the five joints, one after the other. */
  posesAt(frame, layers) {
    const jaw = this.head.channels.length - JAW;
    return this.poses.map((curve, row) => (
      row >= JAW && row < JAW + 3 ? this.layered(curve[frame], jaw + row, frame, layers) : curve[frame]
    ));
  }

  translAt(frame) {
    return this.transl.map(curve => curve[frame]);
  }

  /** A curve by the name of its channel or of an angle of the head. */
  curve(name, layers) {
    if (this.angles[name]) return this.angles[name];
    const channel = this.head.channels.indexOf(name);
    if (channel < 0) return null;
    if (!this.laughter || (layers.speech && layers.laughter)) return this.expression[channel];
    return this.expression[channel].map((value, frame) => this.layered(value, channel, frame, layers));
  }

  layered(value, row, frame, layers) {
    if (!this.laughter) return value;
    const laughter = this.laughter[row][frame];
    return (layers.speech ? value - laughter : 0) + (layers.laughter ? laughter : 0);
  }

  /** How the head stands in every frame, degrees. */
  anglesOfFrames() {
    const angles = Object.fromEntries(ANGLES.map(name => [name, new Float32Array(this.frames)]));
    for (let frame = 0; frame < this.frames; frame++) {
      const [root, neck] = [0, 3].map(row => matrixOf(...[0, 1, 2].map(axis => this.poses[row + axis][frame])));
      const found = anglesOf(product(root, neck));
      for (const name of ANGLES) angles[name][frame] = found[name];
    }
    return angles;
  }
}
