#pragma once
/// Script of a report: a crosshair in every plot (mouse, touch or arrow keys) with the values of all curves, and the
/// counts in large confusion matrices. The page is complete without it. It inserts text only as text nodes.

namespace minception::report {

inline constexpr const char* kScript = R"js(
"use strict";
(() => {
const element = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};
const written = (value, unit) => {
  if (value === null || value === undefined) return "not finite";
  if (unit === "percent") return (100 * value).toFixed(2) + " %";
  if (unit === "compact" && Math.abs(value) >= 100) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(5)));
};
const nearest = (ascending, x) => {
  let low = 0, high = ascending.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (ascending[middle] < x) low = middle; else high = middle;
  }
  return Math.abs(ascending[low] - x) <= Math.abs(ascending[high] - x) ? low : high;
};

for (const plot of document.querySelectorAll(".plot")) {
  const data = JSON.parse(plot.querySelector("script").textContent);
  const area = plot.querySelector(".area");
  for (const group of data.groups) {
    group.x = group.steps.map(step => data.epochs ? step / group.perEpoch : step);
  }
  const stops = [...new Set(data.groups.flatMap(group => group.x))].sort((a, b) => a - b);
  const across = x => 100 * (x - data.x[0]) / (data.x[1] - data.x[0]);
  const down = y => {
    const [low, high] = data.y;
    if (y === null || (data.log && y <= 0)) return NaN;
    return 100 * (1 - (data.log ? Math.log(y / low) / Math.log(high / low) : (y - low) / (high - low)));
  };
  let shown = [], at = stops.length - 1;
  const hide = () => { for (const node of shown) node.remove(); shown = []; };
  const show = index => {
    hide();
    at = Math.max(0, Math.min(stops.length - 1, index));
    const x = stops[at], cross = element("div", "cross"), box = element("div", "readout"), table = element("table");
    cross.style.left = across(x) + "%";
    shown = [cross, box];
    const rows = [], here = new Set();
    for (const group of data.groups) {
      const i = nearest(group.x, x), step = group.steps[i], exact = Math.abs(group.x[i] - x) < 1e-9;
      if (exact) here.add(step);
      for (const curve of group.curves) {
        const value = curve.y[i], drawn = curve.smooth ? curve.smooth[i] : value;
        const row = element("tr"), name = element("th", curve.colour);
        name.append(element("i"), curve.name);
        row.append(name, element("td", "", written(value, data.unit)));
        row.append(element("td", "weak mean", curve.smooth ? "mean " + written(drawn, data.unit) : ""));
        row.append(element("td", "weak", exact ? "" : "at step " + step.toLocaleString("en")));
        rows.push([drawn === null ? -Infinity : drawn, row]);
        const y = down(drawn);
        if (!(y >= 0 && y <= 100)) continue;
        const knob = element("div", "knob " + curve.colour);
        knob.style.left = across(group.x[i]) + "%";
        knob.style.top = y + "%";
        shown.push(knob);
      }
    }
    if (rows.length > 3) rows.sort((a, b) => b[0] - a[0]);
    const steps = [...here].map(step => "step " + step.toLocaleString("en")).join(" / ");
    table.append(element("caption", "", steps + (data.epochs ? ", epoch " + Number(x.toFixed(2)) : "")));
    for (const [, row] of rows) table.append(row);
    box.append(table);
    area.append(...shown);
    const place = across(x) / 100 * area.clientWidth, width = box.offsetWidth, card = plot.getBoundingClientRect();
    const most = card.right - area.getBoundingClientRect().left - width - 6, least = most + width + 12 - card.width;
    const left = place + 14 <= most ? place + 14 : place - 14 - width;
    box.style.left = Math.max(least, Math.min(left, most)) + "px";
    for (const other of document.querySelectorAll(".plot")) if (other !== plot) other.dispatchEvent(new Event("leave"));
  };
  const follow = event => {
    const box = area.getBoundingClientRect();
    const share = (event.clientX - box.left) / box.width;
    show(nearest(stops, data.x[0] + share * (data.x[1] - data.x[0])));
  };
  plot.addEventListener("leave", hide);
  area.addEventListener("pointermove", follow);
  area.addEventListener("pointerdown", follow);
  area.addEventListener("pointerleave", event => { if (event.pointerType === "mouse") hide(); });
  area.addEventListener("blur", hide);
  area.addEventListener("keydown", event => {
    const far = Math.max(1, Math.round(stops.length / 20));
    const to = {ArrowLeft: at - 1, ArrowRight: at + 1, PageDown: at - far, PageUp: at + far, Home: 0, End: stops.length - 1}[event.key];
    if (to !== undefined) { show(to); event.preventDefault(); }
    if (event.key === "Escape") hide();
  });
}

for (const matrix of document.querySelectorAll(".matrix")) {
  const rows = JSON.parse(matrix.querySelector("script").textContent);
  const names = [...matrix.querySelectorAll("ol li")].map(item => item.textContent);
  const caption = matrix.querySelector("figcaption"), resting = caption.textContent, svg = matrix.querySelector("svg");
  const follow = event => {
    const box = svg.getBoundingClientRect();
    const place = (at, size) => Math.max(0, Math.min(names.length - 1, Math.floor(at / size * names.length)));
    const label = place(event.clientY - box.top, box.height), predicted = place(event.clientX - box.left, box.width);
    let count = 0, samples = 0;
    for (let i = 0; i < rows[label].length; i += 2) {
      samples += rows[label][i + 1];
      if (rows[label][i] === predicted) count = rows[label][i + 1];
    }
    caption.textContent = names[label] + (label === predicted ? ", correct: " : " predicted as " + names[predicted] + ": ") +
      count + " of " + samples;
  };
  svg.addEventListener("pointermove", follow);
  svg.addEventListener("pointerdown", follow);
  svg.addEventListener("pointerleave", () => { caption.textContent = resting; });
}

const open = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target && target.tagName === "DETAILS") target.open = true;
};
addEventListener("hashchange", open);
open();
})();
)js";

}  // namespace minception::report
