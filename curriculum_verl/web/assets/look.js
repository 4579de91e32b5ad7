// How a chart looks on the paper that is there: plotly's colours, axes and legend for light and dark.
"use strict";
const Look = (() => {
  const LEAST = 3; // contrast that every line has with the paper (WCAG 2.2, 1.4.11)

  // Colours: made for white paper, moved towards the ink where they are too faint for the paper that is there.
  const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const linear = (part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  const light = (rgb) => 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
  const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const STEPS = Array.from({ length: 21 }, (_, step) => step / 20);
  const between = (from, to, share) => from.map((part, at) => Math.round(part + share * (to[at] - part)));
  const written = (rgb) => `#${rgb.map((part) => part.toString(16).padStart(2, "0")).join("")}`;
  const readable = (hex, { paper, ink, least }) => {
    const mixed = STEPS.map((share) => between(channels(hex), channels(ink), share));
    const found = mixed.find((rgb) => contrast(rgb, channels(paper)) >= least);
    return found ? written(found) + hex.slice(7) : hex;
  };
  const pale = (hex, { paper }, share) => { // that much of the colour on the paper, or as much more as it takes to be seen
    const mixed = STEPS.filter((one) => one >= share).map((one) => between(channels(paper), channels(hex), one));
    return written(mixed.find((rgb) => contrast(rgb, channels(paper)) >= LEAST) ?? channels(hex));
  };

  const look = (saved) => { // a picture that is saved is for white paper
    const at = saved ? document.body.appendChild(Object.assign(document.createElement("i"), { className: "cv-light" })) : document.body;
    const style = getComputedStyle(at);
    const [ink, soft, paper, line, least] = ["ink", "soft", "card", "line", "least"].map((name) => style.getPropertyValue(`--cv-${name}`).trim());
    if (saved) at.remove();
    return { ink, soft, paper, line, least: Number(least) };
  };
  const recoloured = (value, colours) => {
    if (typeof value === "string") return /^#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?$/.test(value) ? readable(value, colours) : value;
    if (Array.isArray(value)) return value.map((item) => recoloured(item, colours));
    if (value === null || typeof value !== "object" || "bdata" in value) return value;
    const own = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, recoloured(item, colours)]));
    return own.opacity && own.line?.color ? { ...own, opacity: 1, line: { ...own.line, color: pale(own.line.color, colours, own.opacity) } } : own;
  };

  const themed = (chart, colours) => {
    const { ink, soft, paper, line } = colours;
    const [data, given] = recoloured([chart.data, chart.layout], colours);
    const axis = { gridcolor: line, linecolor: line, zerolinecolor: line, tickfont: { color: soft }, automargin: true };
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "x unified", uirevision: "kept",
      font: { family: "system-ui, sans-serif", size: 12, color: ink }, margin: { l: 48, r: 16, t: 10, b: 36 },
      hoverlabel: { bgcolor: paper, bordercolor: line, font: { color: ink } },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 }, dragmode: "zoom",
      showlegend: chart.data.filter((trace) => trace.showlegend !== false).length > 1,
      modebar: { bgcolor: "rgba(0,0,0,0)", color: soft, activecolor: ink }, ...given,
    };
    for (const name of new Set(["xaxis", "yaxis", ...Object.keys(given).filter((key) => /^[xy]axis/.test(key))])) {
      const own = given[name] ?? {};
      layout[name] = { ...axis, ...own, title: own.title ? { text: own.title, font: { color: soft }, standoff: 8 } : undefined };
    }
    const over = data.filter((trace) => trace.meta === "cased"); // lines that stand out from what is pale behind all of them
    return { data: [...data.filter((trace) => trace.meta !== "cased"), ...over.map((trace) => casing(trace, paper)), ...over], layout };
  };
  const casing = (trace, paper) => ({ ...trace, mode: "lines", line: { color: paper, width: 2 * trace.line.width }, meta: "casing",
    showlegend: false, hoverinfo: "skip", hovertemplate: undefined });

  return { look, themed };
})();
