/** Draws heads with WebGL 2, in the light of facetalk's own renderer. */

import {bytesOf} from "./unpack.js";

const POSITION = 0, NORMAL = 1, MATERIAL = 2, UV = 3, COLOR = 4;

const LINE_VERTEX = `#version 300 es
layout(location = 0) in vec3 position;
uniform mat4 V;
uniform mat4 P;
void main() { gl_Position = P * V * vec4(position, 1.0); }`;

const LINE_FRAGMENT = `#version 300 es
precision mediump float;
uniform vec4 color;
out vec4 frag_color;
void main() { frag_color = color; }`;

export class Renderer {
  constructor(canvas, vertexShader) {
    this.canvas = canvas;
    this.vertexShader = vertexShader;
    const gl = this.gl = canvas.getContext("webgl2", {antialias: true, alpha: true, preserveDrawingBuffer: true});
    if (!gl) throw new Error("this browser has no WebGL 2, which the page draws with");
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    gl.enable(gl.CULL_FACE);
    gl.polygonOffset(1, 1);
    this.lines = this.program(LINE_VERTEX, LINE_FRAGMENT);
    this.meshes = new Map();
  }

  /** What all clips of a head share on the graphics card. */
  async addHead(head) {
    const gl = this.gl, [r, g, b, gloss, exponent, translucency, exposure] = head.look, corner = head.corner;
    const table = (columns, width) => {
      const values = new Float32Array(corner.length * width);
      columns.forEach((column, at) => corner.forEach((vertex, i) => { values[i * width + at] = column[vertex]; }));
      return this.buffer(gl.ARRAY_BUFFER, values);
    };
    const uv = new Float32Array(2 * corner.length);
    for (let i = 0; i < corner.length; i++) uv.set([head.uv[0][i], head.uv[1][i]], 2 * i);
    const edges = edgesOf(head.splitFaces, corner.length);
    this.meshes.set(head, {
      program: this.program(this.vertexShader, head.shader),
      color: table([r, g, b], 3),
      material: table([gloss, exponent, translucency, exposure], 4),
      uv: this.buffer(gl.ARRAY_BUFFER, uv),
      faces: this.buffer(gl.ELEMENT_ARRAY_BUFFER, head.splitFaces),
      edges: this.buffer(gl.ELEMENT_ARRAY_BUFFER, edges),
      numEdges: edges.length,
      texture: head.texture ? await this.texture(head.texture) : null,
    });
  }

  /** The posed mesh of one clip on the graphics card. */
  figure(clip) {
    const head = clip.head, size = 3 * head.count, split = 3 * head.corner.length;
    return {
      clip, vertices: new Float32Array(size), normals: new Float32Array(size), scratch: new Float32Array(split),
      position: this.gl.createBuffer(), normal: this.gl.createBuffer(), posed: "",
    };
  }

  /** Pose a figure, if it is not in this pose. */
  pose(figure, frame, layers) {
    const key = `${frame} ${layers.speech} ${layers.laughter}`;
    if (figure.posed === key) return;
    const {clip, vertices, normals} = figure, head = clip.head;
    const [expression, poses] = [clip.expressionAt(frame, layers), clip.posesAt(frame, layers)];
    head.pose(clip.identity, expression, poses, clip.translAt(frame), vertices);
    head.normals(vertices, normals);
    this.upload(figure.position, vertices, head.corner, figure.scratch);
    this.upload(figure.normal, normals, head.corner, figure.scratch);
    figure.posed = key;
  }

  clear() {
    const gl = this.gl;
    gl.disable(gl.SCISSOR_TEST);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
  }

  /** Draw a figure into a part of the canvas: x, y from the lower left corner, pixels. */
  draw(figure, camera, {x, y, width, height}, {surface, wireframe, lineColor}) {
    const gl = this.gl, mesh = this.meshes.get(figure.clip.head);
    gl.enable(gl.SCISSOR_TEST);
    gl.viewport(x, y, width, height);
    gl.scissor(x, y, width, height);
    const view = camera.view(figure.clip.camera), projection = camera.projection(figure.clip.camera, width, height);
    this.attribute(POSITION, figure.position, 3);
    this.attribute(NORMAL, figure.normal, 3);
    this.attribute(MATERIAL, mesh.material, 4);
    this.attribute(UV, mesh.uv, 2);
    this.attribute(COLOR, mesh.color, 3);
    gl.useProgram(mesh.program);
    this.matrices(mesh.program, view, projection);
    gl.bindTexture(gl.TEXTURE_2D, mesh.texture);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, mesh.faces);
    if (wireframe) gl.enable(gl.POLYGON_OFFSET_FILL);
    gl.colorMask(surface, surface, surface, surface); // an invisible surface still hides the lines behind it
    gl.drawElements(gl.TRIANGLES, figure.clip.head.splitFaces.length, gl.UNSIGNED_INT, 0);
    gl.colorMask(true, true, true, true);
    gl.disable(gl.POLYGON_OFFSET_FILL);
    if (!wireframe) return;
    gl.useProgram(this.lines);
    this.matrices(this.lines, view, projection);
    gl.uniform4fv(gl.getUniformLocation(this.lines, "color"), lineColor);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, mesh.edges);
    gl.drawElements(gl.LINES, mesh.numEdges, gl.UNSIGNED_INT, 0);
    gl.disable(gl.BLEND);
  }

  attribute(place, buffer, width) {
    const gl = this.gl;
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, width, gl.FLOAT, false, 0, 0);
  }

  matrices(program, view, projection) {
    this.gl.uniformMatrix4fv(this.gl.getUniformLocation(program, "V"), false, view);
    this.gl.uniformMatrix4fv(this.gl.getUniformLocation(program, "P"), false, projection);
  }

  buffer(target, values) {
    const buffer = this.gl.createBuffer();
    this.gl.bindBuffer(target, buffer);
    this.gl.bufferData(target, values, this.gl.STATIC_DRAW);
    return buffer;
  }

  upload(buffer, values, corner, scratch) {
    for (let i = 0; i < corner.length; i++) {
      const from = 3 * corner[i], to = 3 * i;
      scratch[to] = values[from]; scratch[to + 1] = values[from + 1]; scratch[to + 2] = values[from + 2];
    }
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, buffer);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, scratch, this.gl.DYNAMIC_DRAW);
  }

  async texture(base64) {
    const gl = this.gl, blob = new Blob([bytesOf(base64)], {type: "image/jpeg"});
    const image = await createImageBitmap(blob, {imageOrientation: "flipY", colorSpaceConversion: "none"});
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.SRGB8_ALPHA8, gl.RGBA, gl.UNSIGNED_BYTE, image);
    gl.generateMipmap(gl.TEXTURE_2D);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
    const sharper = gl.getExtension("EXT_texture_filter_anisotropic");
    if (sharper) gl.texParameterf(gl.TEXTURE_2D, sharper.TEXTURE_MAX_ANISOTROPY_EXT, 4);
    return texture;
  }

  program(vertex, fragment) {
    const gl = this.gl, program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    return program;
  }
}

/** The sides of triangles as pairs of vertices, each once. */
function edgesOf(faces, count) {
  const edges = new Set();
  for (let f = 0; f < faces.length; f += 3) {
    for (const [a, b] of [[0, 1], [1, 2], [2, 0]]) {
      const [i, j] = [faces[f + a], faces[f + b]];
      edges.add(i < j ? i * count + j : j * count + i);
    }
  }
  return Uint32Array.from([...edges].flatMap(edge => [Math.floor(edge / count), edge % count]));
}
