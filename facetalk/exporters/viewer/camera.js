/** A camera that turns around a head, the same for all heads of the page. Matrices are in WebGL's order. */

import {matrixOf, product} from "./rotations.js";

const STEEPEST = 80 * Math.PI / 180, NEAREST = 0.2, FARTHEST = 4;

export class Camera {
  constructor() {
    this.reset();
  }

  reset() {
    /** Radians, the distance relative to the usual one, and a shift of the image in shares of its shorter side. */
    Object.assign(this, {azimuth: 0, elevation: 0, zoom: 1, shift: [0, 0]});
  }

  turn(azimuth, elevation) {
    this.azimuth = (this.azimuth + azimuth) % (2 * Math.PI);
    this.elevation = Math.max(-STEEPEST, Math.min(STEEPEST, this.elevation + elevation));
  }

  approach(factor) {
    this.zoom = Math.max(NEAREST, Math.min(FARTHEST, this.zoom * factor));
  }

  move(x, y) {
    this.shift = [this.shift[0] + x, this.shift[1] + y].map(value => Math.max(-1, Math.min(1, value)));
  }

  /** The world as the camera sees it, for a clip's own usual place of the head. */
  view({eye, pivot}) {
    const m = product(matrixOf(this.elevation, 0, 0), matrixOf(0, -this.azimuth, 0));
    const distance = (eye[2] - pivot) * this.zoom, center = [eye[0], eye[1], pivot];
    const shift = [0, 1, 2].map(row => -[0, 1, 2].reduce((sum, axis) => sum + m[3 * row + axis] * center[axis], 0));
    shift[2] -= distance;
    return new Float32Array([m[0], m[3], m[6], 0, m[1], m[4], m[7], 0, m[2], m[5], m[8], 0, ...shift, 1]);
  }

  projection({eye, pivot, focal, middle}, width, height) {
    const shorter = Math.min(width, height), f = focal * shorter;
    const x = width / 2 + this.shift[0] * shorter, y = height * middle + this.shift[1] * shorter;
    const distance = (eye[2] - pivot) * this.zoom, near = 0.05 * distance, far = distance + 4 * (eye[2] - pivot);
    const depth = (far + near) / (near - far), offset = 2 * far * near / (near - far);
    return new Float32Array([
      2 * f / width, 0, 0, 0,
      0, 2 * f / height, 0, 0,
      1 - 2 * x / width, 2 * y / height - 1, depth, -1,
      0, 0, offset, 0,
    ]);
  }
}
