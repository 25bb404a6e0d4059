"use strict";
// The viewer of a report: a canvas with layers, a table that sorts, a list of objects that leads to their place.
// Coordinates are pixels of the whole image; a view (the whole image, or a part of it) says where it lies.

const content = JSON.parse(document.getElementById("content").textContent);
const byId = (id) => document.getElementById(id);
const canvas = byId("canvas"), context = canvas.getContext("2d");
const IGNORED = 0xffffff;
const MISSED = "#ff8b3d", INVENTED = "#4da3ff", SOLID = "#ffd34d", DASHED = "#5fd7ff";
const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

let row = null;      // the image shown
let view = null;     // the part of it shown
let layers = null;   // its decoded layers
let zoom = 1;        // screen pixels of one image pixel
let centre = [0, 0]; // row, column in the middle of the canvas
let chosen = null;   // the object that the list points at

// ---- layers: from data URIs to values, and to pictures ----

function makeCanvas(width, height) {
  const made = document.createElement("canvas");
  made.width = width;
  made.height = height;
  return made;
}

async function decode(uri) {
  const image = new Image();
  image.src = uri;
  await image.decode();
  const paper = makeCanvas(image.naturalWidth, image.naturalHeight);
  const pen = paper.getContext("2d", { willReadFrequently: true });
  pen.drawImage(image, 0, 0);
  return { paper, data: pen.getImageData(0, 0, paper.width, paper.height).data };
}

function numbers(data) {
  const values = new Uint32Array(data.length / 4);
  for (let i = 0; i < values.length; i++) values[i] = data[4 * i] | (data[4 * i + 1] << 8) | (data[4 * i + 2] << 16);
  return values;
}

function paint(width, height, colour) {
  const paper = makeCanvas(width, height), pen = paper.getContext("2d"), image = pen.createImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    const rgba = colour(i);
    if (rgba) image.data.set(rgba, 4 * i);
  }
  pen.putImageData(image, 0, 0);
  return paper;
}

function colourOf(number) {
  const hue = (number * 0.618033988749895 * 6) % 6, part = hue % 1, light = number % 3 ? 255 : 200;
  const [a, b, c] = [light, Math.round(light * part), Math.round(light * (1 - part))];
  return [[a, b, 40], [c, a, 40], [40, a, b], [40, c, a], [b, 40, a], [a, 40, c]][Math.floor(hue)];
}

function ramp(value) {
  const place = (value / 255) * (RAMP.length - 1), low = Math.min(Math.floor(place), RAMP.length - 2), part = place - low;
  return RAMP[low].map((start, channel) => Math.round(start + part * (RAMP[low + 1][channel] - start)));
}

// The lines between pixels of different objects, as a path in pixels of the view.
function outline(values, width, height) {
  const path = new Path2D();
  const at = (y, x) => (y < 0 || x < 0 || y >= height || x >= width || values[y * width + x] === IGNORED ? 0 : values[y * width + x]);
  const trace = (lines, length, differs, line) => {
    for (let i = 0; i <= lines; i++) {
      let start = -1;
      for (let j = 0; j <= length; j++) {
        const here = j < length && differs(i, j);
        if (here && start < 0) start = j;
        if (!here && start >= 0) { line(i, start, j); start = -1; }
      }
    }
  };
  trace(height, width, (y, x) => at(y - 1, x) !== at(y, x), (y, from, to) => { path.moveTo(from, y); path.lineTo(to, y); });
  trace(width, height, (x, y) => at(y, x - 1) !== at(y, x), (x, from, to) => { path.moveTo(x, from); path.lineTo(x, to); });
  return path;
}

async function decodeView(source) {
  const { width, height } = source, made = { width, height };
  const decoded = {};
  for (const [name, uri] of Object.entries(source.layers)) decoded[name] = await decode(uri);
  made.gray = decoded.gray.paper;
  made.grayValues = decoded.gray.data;
  made.probabilityValues = decoded.probability.data;
  const colours = Array.from({ length: 256 }, (_, value) => [...ramp(value), 255]);
  made.probability = paint(width, height, (i) => colours[decoded.probability.data[4 * i]]);
  for (const name of ["prediction", "label"]) {
    if (!decoded[name]) continue;
    const values = numbers(decoded[name].data);
    made[name + "Values"] = values;
    made[name + "Outline"] = outline(values, width, height);
    made[name] = paint(width, height, (i) => (values[i] && values[i] !== IGNORED ? [...colourOf(values[i]), 100] : null));
  }
  if (made.labelValues) {
    const truth = made.labelValues, found = made.predictionValues;
    const isWrong = (missed) => (i) => {
      if (truth[i] === IGNORED) return null;
      const notFound = content.classes ? truth[i] !== found[i] : !found[i];
      return (missed ? truth[i] > 0 && notFound : !truth[i] && found[i] > 0) ? [255, 255, 255, 255] : null;
    };
    made.missed = paint(width, height, isWrong(true));
    made.invented = paint(width, height, isWrong(false));
  }
  return made;
}

// ---- drawing ----

function isOn(name) {
  const box = document.querySelector(`#layers input[value=${name}]`);
  return box.checked && !box.disabled;
}

function hatch(colour, rising) {
  const size = 8 * devicePixelRatio, tile = makeCanvas(size, size), pen = tile.getContext("2d");
  pen.fillStyle = colour + "59";
  pen.fillRect(0, 0, size, size);
  pen.strokeStyle = colour;
  pen.lineWidth = 2 * devicePixelRatio;
  for (const shift of [-size, 0, size]) {
    pen.moveTo(shift, rising ? size : 0);
    pen.lineTo(shift + size, rising ? 0 : size);
  }
  pen.stroke();
  return tile;
}

function transform(target) {
  const scale = zoom * devicePixelRatio;
  target.setTransform(scale, 0, 0, scale, canvas.width / 2 - centre[1] * scale, canvas.height / 2 - centre[0] * scale);
}

function place(target, paper) {
  target.imageSmoothingEnabled = zoom * view.step < 1;
  target.drawImage(paper, view.left, view.top, view.width * view.step, view.height * view.step);
}

function drawHatched(paper, colour, rising) {
  const sheet = makeCanvas(canvas.width, canvas.height), pen = sheet.getContext("2d");
  transform(pen);
  place(pen, paper);
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.globalCompositeOperation = "source-in";
  pen.fillStyle = pen.createPattern(hatch(colour, rising), "repeat");
  pen.fillRect(0, 0, sheet.width, sheet.height);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(sheet, 0, 0);
  transform(context);
}

function drawOutline(path, colour, width, dashes) {
  context.save();
  context.translate(view.left, view.top);
  context.scale(view.step, view.step);
  const pixel = 1 / (zoom * view.step);
  context.strokeStyle = colour;
  context.lineWidth = width * pixel;
  context.setLineDash(dashes.map((length) => length * pixel));
  context.stroke(path);
  context.restore();
}

function drawMarks() {
  const ratio = devicePixelRatio, scale = zoom * ratio;
  context.setTransform(1, 0, 0, 1, 0, 0);
  const screen = (y, x) => [canvas.width / 2 + (x - centre[1]) * scale, canvas.height / 2 + (y - centre[0]) * scale];
  context.font = `600 ${12 * ratio}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.textBaseline = "middle";
  row.errors.forEach((error, index) => {
    const [top, left, bottom, right] = error.box;
    const current = chosen === index;
    if (current) {
      const [x, y] = screen(top, left), [x2, y2] = screen(bottom, right), rim = 5 * ratio;
      for (const [style, width] of [["#000", 5], ["#fff", 2]]) {
        context.strokeStyle = style;
        context.lineWidth = width * ratio;
        context.strokeRect(x - rim, y - rim, x2 - x + 2 * rim, y2 - y + 2 * rim);
      }
    }
    if (!(isOn("numbers") || current)) return;
    const [x, y] = current ? screen(top, left) : screen((top + bottom) / 2, (left + right) / 2);
    const text = String(index + 1), width = context.measureText(text).width + 8 * ratio, height = 17 * ratio;
    context.fillStyle = current ? "#fff" : "#000c";
    context.fillRect(x - width / 2, y - height / 2, width, height);
    context.fillStyle = current ? "#000" : "#fff";
    context.fillText(text, x, y);
  });
}

function draw() {
  if (!layers) return;
  const box = canvas.getBoundingClientRect();
  canvas.width = Math.round(box.width * devicePixelRatio);
  canvas.height = Math.round(box.height * devicePixelRatio);
  transform(context);
  if (isOn("gray")) place(context, layers.gray);
  if (isOn("probability")) {
    context.globalAlpha = isOn("gray") ? 0.55 : 1;
    place(context, layers.probability);
    context.globalAlpha = 1;
  }
  // Colours of objects would spoil those of the probability, and one set of them hides the other.
  if (!isOn("probability")) {
    if (isOn("prediction")) place(context, layers.prediction);
    else if (isOn("label")) place(context, layers.label);
  }
  if (isOn("errors")) {
    drawHatched(layers.missed, MISSED, true);
    drawHatched(layers.invented, INVENTED, false);
  }
  // The dark rims first: where outlines coincide, the solid one shows between the dashes.
  if (isOn("label")) drawOutline(layers.labelOutline, "#000a", 3.4, []);
  if (isOn("prediction")) drawOutline(layers.predictionOutline, "#000a", 3.4, []);
  if (isOn("label")) drawOutline(layers.labelOutline, SOLID, 1.8, []);
  if (isOn("prediction")) drawOutline(layers.predictionOutline, DASHED, 1.8, [5, 5]);
  drawMarks();
}

// ---- moving about ----

function fit() {
  const box = canvas.getBoundingClientRect(), height = view.height * view.step, width = view.width * view.step;
  zoom = Math.min(box.width / width, box.height / height);
  centre = [view.top + height / 2, view.left + width / 2];
  draw();
}

function zoomBy(factor, x, y) {
  const box = canvas.getBoundingClientRect();
  const dx = (x ?? box.width / 2) - box.width / 2, dy = (y ?? box.height / 2) - box.height / 2;
  const next = Math.min(64, Math.max(0.02, zoom * factor));
  centre = [centre[0] + dy / zoom - dy / next, centre[1] + dx / zoom - dx / next];
  zoom = next;
  draw();
}

function move(dy, dx) {
  centre = [
    Math.min(row.height, Math.max(0, centre[0] + dy / zoom)),
    Math.min(row.width, Math.max(0, centre[1] + dx / zoom)),
  ];
  draw();
}

function tell(event) {
  const box = canvas.getBoundingClientRect();
  const y = Math.floor(centre[0] + (event.clientY - box.top - box.height / 2) / zoom);
  const x = Math.floor(centre[1] + (event.clientX - box.left - box.width / 2) / zoom);
  const v = Math.floor((y - view.top) / view.step), u = Math.floor((x - view.left) / view.step);
  if (v < 0 || u < 0 || v >= layers.height || u >= layers.width) return;
  const i = v * layers.width + u;
  const known = content.classes ?? ["background"];
  const name = (value) => (value === IGNORED ? "ignored" : known[value] ?? (content.components ? "foreground" : value));
  const parts = [`row ${y}, column ${x}`, `gray ${(layers.grayValues[4 * i] / 255).toFixed(2)}`,
    `probability ${(layers.probabilityValues[4 * i] / 255).toFixed(2)}`, `predicted: ${name(layers.predictionValues[i])}`];
  if (layers.labelValues) parts.push(`label: ${name(layers.labelValues[i])}`);
  byId("status").textContent = parts.join(" · ");
}

function addLegend() {
  for (const [number, name] of (content.classes ?? []).entries()) {
    if (number === 0) continue;
    const item = document.createElement("span"), swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.background = `rgb(${colourOf(number)})`;
    item.append(swatch, ` ${name} `);
    byId("legend").append(item);
  }
}

// ---- what is shown ----

function partName(part, index) {
  if (index === 0) return part.step > 1 ? `whole image, 1 of ${part.step} pixels` : "whole image";
  return `full resolution ${index}: row ${part.top}, column ${part.left}`;
}

async function showPart(index) {
  const wanted = row.views[index], owner = row;
  const decoded = await decodeView(wanted);
  if (owner !== row) return; // another image was chosen meanwhile
  [view, layers] = [wanted, decoded];
  byId("place").value = String(index);
  fit();
}

function describe(error) {
  const ids = (values) => values.slice(0, 4).join(", ") + (values.length > 4 ? ", ..." : "");
  const [top, left, bottom, right] = error.box;
  const parts = [`${error.kind}: ${error.pixels} px`];
  if (!content.components && error.labels.length) parts.push(`label ${ids(error.labels)}`);
  if (!content.components && error.predictions.length) parts.push(`predicted ${ids(error.predictions)}`);
  if (error.kind === "split") parts.push(`${error.predictions.length} parts`);
  if (error.kind === "merged") parts.push(`${error.labels.length} objects`);
  parts.push(`row ${Math.round((top + bottom) / 2)}, column ${Math.round((left + right) / 2)}`);
  return parts.join(", ");
}

function fillList() {
  const list = byId("list"), kind = byId("kind").value;
  list.replaceChildren();
  row.errors.forEach((error, index) => {
    if (kind && error.kind !== kind) return;
    const item = document.createElement("li"), button = document.createElement("button");
    item.value = index + 1;
    button.type = "button";
    button.textContent = describe(error);
    button.addEventListener("click", () => choose(index, item));
    item.append(button);
    list.append(item);
  });
  const total = Object.values(row.counts).reduce((sum, count) => sum + count, 0);
  byId("more").textContent = total > row.errors.length ? `The ${row.errors.length} largest of ${total}.` : total ? "" : "None.";
}

async function choose(index, item) {
  for (const other of byId("list").children) other.removeAttribute("aria-current");
  item.setAttribute("aria-current", "true");
  const [top, left, bottom, right] = row.errors[index].box;
  const inside = (part) => top >= part.top && left >= part.left
    && bottom <= part.top + part.height * part.step && right <= part.left + part.width * part.step;
  // A part at full resolution is better than the reduced whole.
  let best = row.views.findIndex((part, number) => number > 0 && inside(part));
  if (best < 0) best = 0;
  if (row.views[best] !== view) await showPart(best);
  chosen = index;
  const box = canvas.getBoundingClientRect();
  zoom = Math.min(16, 0.4 * Math.min(box.width / (right - left), box.height / (bottom - top)));
  centre = [(top + bottom) / 2, (left + right) / 2];
  byId("status").textContent = describe(row.errors[index]);
  draw();
}

async function show(index) {
  row = content.rows[index];
  chosen = null;
  layers = null;
  for (const line of document.querySelectorAll("#table tbody tr")) {
    if (Number(line.dataset.row) === index) line.setAttribute("aria-current", "true");
    else line.removeAttribute("aria-current");
  }
  byId("viewer").hidden = false;
  byId("name").textContent = row.name;
  canvas.setAttribute("aria-label", `${row.name}, ${row.height} x ${row.width} pixels, with the chosen layers`);
  byId("status").textContent = "";
  byId("place").replaceChildren(...row.views.map((part, number) => new Option(partName(part, number), String(number))));
  byId("place-label").hidden = row.views.length < 2;
  const has = { label: row.labelled, errors: row.errors.length > 0 };
  for (const box of document.querySelectorAll("#layers label[data-needs]")) {
    box.hidden = !has[box.dataset.needs];
    box.querySelector("input").disabled = box.hidden;
  }
  byId("objects").hidden = row.objects === null;
  fillList();
  await showPart(0);
  canvas.dataset.shown = row.name;
}

function step(by) {
  const shown = [...document.querySelectorAll("#table tbody tr")].filter((line) => line.querySelector(".show"));
  const now = shown.findIndex((line) => line.hasAttribute("aria-current"));
  show(Number(shown[(now + by + shown.length) % shown.length].dataset.row));
}

function sortBy(heading) {
  const table = byId("table"), column = [...heading.parentNode.children].indexOf(heading);
  const descending = heading.getAttribute("aria-sort") === "ascending";
  const isNumber = heading.querySelector("button").dataset.kind === "number";
  const value = (line) => {
    const cell = line.children[column], text = cell.dataset.value ?? cell.textContent;
    return isNumber ? (text === "" ? NaN : Number(text)) : text;
  };
  const compare = (a, b) => {
    if (!isNumber) return a.localeCompare(b, undefined, { numeric: true });
    return Number.isNaN(a) || Number.isNaN(b) ? Number.isNaN(a) - Number.isNaN(b) : a - b;
  };
  const lines = [...table.tBodies[0].rows].sort((a, b) => (descending ? -1 : 1) * compare(value(a), value(b)));
  for (const other of heading.parentNode.children) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  table.tBodies[0].append(...lines);
}

// ---- events ----

const KEYS = {
  ArrowUp: () => move(-60, 0), ArrowDown: () => move(60, 0), ArrowLeft: () => move(0, -60), ArrowRight: () => move(0, 60),
  "+": () => zoomBy(1.4), "=": () => zoomBy(1.4), "-": () => zoomBy(1 / 1.4), "0": fit, n: () => step(1), p: () => step(-1),
};
canvas.addEventListener("keydown", (event) => {
  const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (!action || !layers || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  action();
});
canvas.addEventListener("wheel", (event) => {
  if (!event.ctrlKey || !layers) return; // the wheel alone scrolls the page
  event.preventDefault();
  zoomBy(Math.exp(-event.deltaY / 300), event.offsetX, event.offsetY);
}, { passive: false });
canvas.addEventListener("dblclick", (event) => zoomBy(2, event.offsetX, event.offsetY));
canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
canvas.addEventListener("pointermove", (event) => {
  if (!layers) return;
  if (event.buttons & 1) move(-event.movementY, -event.movementX);
  tell(event);
});
byId("layers").addEventListener("change", draw);
byId("kind").addEventListener("change", fillList);
byId("place").addEventListener("change", (event) => showPart(Number(event.target.value)));
byId("fit").addEventListener("click", fit);
byId("in").addEventListener("click", () => zoomBy(1.4));
byId("out").addEventListener("click", () => zoomBy(1 / 1.4));
byId("next").addEventListener("click", () => step(1));
byId("previous").addEventListener("click", () => step(-1));
for (const heading of document.querySelectorAll("#table thead th")) {
  heading.querySelector("button").addEventListener("click", () => sortBy(heading));
}
for (const button of document.querySelectorAll("#table .show")) {
  button.addEventListener("click", () => show(Number(button.closest("tr").dataset.row)));
}
addLegend();
new ResizeObserver(draw).observe(canvas);
const first = content.rows.findIndex((candidate) => candidate.views.length > 0);
if (first >= 0) show(first);
