/** A head: blend shapes with correctives, then skinning, as `HeadModel` computes them. */

import {matrixOf, product, turned} from "./rotations.js";

export class Head {
  constructor(entry, arrays) {
    this.name = entry.name;
    this.channels = entry.channels;
    this.pairs = entry.pairs;
    this.poseFeatures = entry.poseFeatures;
    this.parents = entry.parents;
    this.jointDirs = entry.jointDirs;
    this.shader = entry.shader;
    this.texture = entry.texture;
    this.faces = arrays.indices(entry.faces);
    this.corner = arrays.indices(entry.corner);
    this.splitFaces = arrays.indices(entry.splitFaces);
    this.uv = arrays.rows(entry.uv);
    this.look = arrays.rows(entry.look);
    this.skin = arrays.rows(entry.skin);
    this.count = this.skin[0].length;
    this.dirs = arrays.rows(entry.dirs).map(sparse);
  }

  /** Weights of all blend shapes: the channels, their correctives, and features of the joints' rotations. */
  weights(expression, poses) {
    const share = expression.map(value => Math.min(1, Math.max(0, value)));
    const correctives = this.pairs.map(([a, b]) => (a === b ? 4 * share[a] * (1 - share[a]) : share[a] * share[b]));
    const features = [];
    for (let joint = 5 - this.poseFeatures / 9; joint < 5; joint++) {
      const matrix = matrixOf(...poses.slice(3 * joint, 3 * joint + 3));
      for (let i = 0; i < 9; i++) features.push(matrix[i] - (i % 4 ? 0 : 1));
    }
    return [...expression, ...correctives, ...features];
  }

  /** Fill `vertices` (x, y, z of each) with the posed mesh, meters. */
  pose(identity, expression, poses, transl, vertices) {
    vertices.set(identity.template);
    this.weights(expression, poses).forEach((weight, shape) => {
      if (weight !== 0) add(vertices, this.dirs[shape], weight);
    });
    const transforms = this.transforms(this.joints(identity, expression), poses, transl);
    for (let v = 0; v < this.count; v++) {
      const m = blended(transforms, this.skin, v), at = 3 * v;
      const x = vertices[at], y = vertices[at + 1], z = vertices[at + 2];
      for (let i = 0; i < 3; i++) vertices[at + i] = m[4 * i] * x + m[4 * i + 1] * y + m[4 * i + 2] * z + m[4 * i + 3];
    }
  }

  joints(identity, expression) {
    if (!this.jointDirs) return identity.joints;
    return identity.joints.map((place, joint) => place.map((value, axis) => (
      this.jointDirs.reduce((sum, dirs, channel) => sum + expression[channel] * dirs[joint][axis], value)
    )));
  }

  /** For each joint three rows of rotation and shift, which move a point at rest. */
  transforms(joints, poses, transl) {
    const rotations = [], places = [];
    this.parents.forEach((parent, joint) => {
      const local = matrixOf(...poses.slice(3 * joint, 3 * joint + 3));
      if (parent < 0) {
        rotations.push(local);
        places.push(joints[joint]);
        return;
      }
      const step = turned(rotations[parent], joints[joint].map((value, axis) => value - joints[parent][axis]));
      rotations.push(product(rotations[parent], local));
      places.push(places[parent].map((value, axis) => value + step[axis]));
    });
    return rotations.map((m, joint) => {
      const rest = turned(m, joints[joint]);
      const shift = [0, 1, 2].map(axis => places[joint][axis] - rest[axis] + transl[axis]);
      return [0, 1, 2].flatMap(row => [m[3 * row], m[3 * row + 1], m[3 * row + 2], shift[row]]);
    });
  }

  /** Fill `normals` with unit normals, faces weighted by area. */
  normals(vertices, normals) {
    normals.fill(0);
    const faces = this.faces;
    for (let f = 0; f < faces.length; f += 3) {
      const i = 3 * faces[f], j = 3 * faces[f + 1], k = 3 * faces[f + 2];
      const px = vertices[i], py = vertices[i + 1], pz = vertices[i + 2];
      const ax = vertices[j] - px, ay = vertices[j + 1] - py, az = vertices[j + 2] - pz;
      const bx = vertices[k] - px, by = vertices[k + 1] - py, bz = vertices[k + 2] - pz;
      const x = ay * bz - az * by, y = az * bx - ax * bz, z = ax * by - ay * bx;
      normals[i] += x; normals[i + 1] += y; normals[i + 2] += z;
      normals[j] += x; normals[j + 1] += y; normals[j + 2] += z;
      normals[k] += x; normals[k + 1] += y; normals[k + 2] += z;
    }
    for (let v = 0; v < normals.length; v += 3) {
      const length = Math.hypot(normals[v], normals[v + 1], normals[v + 2]) || 1;
      normals[v] /= length; normals[v + 1] /= length; normals[v + 2] /= length;
    }
  }
}

/** The entries that are not zero, and where they are. */
function sparse(row) {
  let count = 0;
  for (const value of row) count += value !== 0;
  const at = new Uint32Array(count), values = new Float32Array(count);
  for (let i = 0, n = 0; i < row.length; i++) {
    if (row[i] !== 0) {
      at[n] = i;
      values[n++] = row[i];
    }
  }
  return {at, values};
}

function add(vertices, {at, values}, weight) {
  for (let i = 0; i < at.length; i++) vertices[at[i]] += weight * values[i];
}

const blend = new Float64Array(12);

function blended(transforms, skin, vertex) {
  blend.fill(0);
  for (let joint = 0; joint < transforms.length; joint++) {
    const share = skin[joint][vertex], rows = transforms[joint];
    if (share !== 0) for (let i = 0; i < 12; i++) blend[i] += share * rows[i];
  }
  return blend;
}
