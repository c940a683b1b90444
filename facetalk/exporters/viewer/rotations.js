/** Rotations as 3 x 3 matrices, row by row, from axis-angle vectors in radians. */

export function matrixOf(x, y, z) {
  const angle = Math.hypot(x, y, z);
  if (angle < 1e-12) return [1, -z, y, z, 1, -x, -y, x, 1];
  const [a, b, c] = [x / angle, y / angle, z / angle];
  const s = Math.sin(angle), k = 1 - Math.cos(angle);
  return [
    1 - k * (b * b + c * c), k * a * b - s * c, k * a * c + s * b,
    k * a * b + s * c, 1 - k * (a * a + c * c), k * b * c - s * a,
    k * a * c - s * b, k * b * c + s * a, 1 - k * (a * a + b * b),
  ];
}

export function product(a, b) {
  const c = new Array(9);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) c[3 * i + j] = a[3 * i] * b[j] + a[3 * i + 1] * b[3 + j] + a[3 * i + 2] * b[6 + j];
  }
  return c;
}

export function turned(m, [x, y, z]) {
  return [m[0] * x + m[1] * y + m[2] * z, m[3] * x + m[4] * y + m[5] * z, m[6] * x + m[7] * y + m[8] * z];
}

/** Turn to the side, nod and tilt of a matrix, degrees. */
export function anglesOf(m) {
  const degrees = 180 / Math.PI;
  return {
    turn: degrees * Math.atan2(m[2], m[8]),
    nod: degrees * Math.asin(Math.max(-1, Math.min(1, -m[5]))),
    tilt: degrees * Math.atan2(m[3], m[4]),
  };
}
