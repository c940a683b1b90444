/** Bytes, and arrays out of them as `packed_arrays.py` stores them. */

export function bytesOf(base64) {
  const text = atob(base64), bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

export async function inflated(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export class PackedArrays {
  constructor(bytes) {
    this.bytes = bytes;
  }

  /** Whole numbers. */
  indices({at, shape, bytes}) {
    const count = shape.reduce((a, b) => a * b, 1), values = new Uint32Array(count);
    for (let plane = 0; plane < bytes; plane++) {
      const from = at + plane * count;
      for (let i = 0; i < count; i++) values[i] |= this.bytes[from + i] << (8 * plane);
    }
    return values;
  }

  /** Numbers, a Float32Array for each row. */
  rows(entry) {
    const [height, width] = entry.shape, low = entry.at, high = low + height * width;
    return Array.from({length: height}, (_, row) => {
      const values = new Float32Array(width), step = entry.steps[row];
      for (let i = 0, sum = 0; i < width; i++) {
        const place = row * width + i, whole = this.bytes[low + place] | (this.bytes[high + place] << 8);
        sum = entry.differences ? sum + whole : whole;
        values[i] = ((sum << 16) >> 16) * step;
      }
      return values;
    });
  }
}
