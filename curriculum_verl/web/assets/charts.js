// Draws the charts that come as JSON in <cv-feed> where <cv-chart name="..."> stands, once they are on the screen.
"use strict";
(() => {
  const known = new Map(); // by name: the chart as it came last
  const SHAPE = { width: 1100, height: 460 }; // of a picture that is saved
  const LEAST = 3; // contrast that lines and areas have with the paper (WCAG 2.2, 1.4.11)

  // Colours: made for white paper, moved towards the ink where they are too faint for the paper that is there.
  const shade = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
  const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const linear = (part) => (part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
  const light = (rgb) => 0.2126 * linear(rgb[0]) + 0.7152 * linear(rgb[1]) + 0.0722 * linear(rgb[2]);
  const contrast = (one, other) => {
    const [low, high] = [light(one), light(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const readable = (hex, paper, ink) => {
    const from = channels(hex);
    for (let step = 0; step <= 20; step += 1) {
      const mixed = from.map((part, at) => Math.round(part + (step / 20) * (ink[at] - part)));
      if (contrast(mixed, paper) >= LEAST) {
        return `#${mixed.map((part) => part.toString(16).padStart(2, "0")).join("")}${hex.slice(7)}`;
      }
    }
    return hex;
  };

  const look = () => ({ ink: shade("--cv-ink"), soft: shade("--cv-soft"), paper: shade("--cv-card"), line: shade("--cv-line") });
  const recoloured = (value, paper, ink) => {
    if (typeof value === "string") {
      return /^#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?$/.test(value) ? readable(value, paper, ink) : value;
    }
    if (Array.isArray(value)) return value.map((item) => recoloured(item, paper, ink));
    if (value === null || typeof value !== "object" || "bdata" in value) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, recoloured(item, paper, ink)]));
  };

  const themed = (chart) => {
    const { ink, soft, paper, line } = look();
    const [data, given] = recoloured([chart.data, chart.layout], channels(paper), channels(ink));
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
    return { data, layout };
  };

  const CONFIG = { displaylogo: false, responsive: false, showSendToCloud: false, displayModeBar: "hover",
    modeBarButtonsToRemove: ["toImage", "lasso2d", "select2d", "autoScale2d"] };

  class Picture extends HTMLElement {
    connectedCallback() {
      if (!this.plot) this.build();
      this.watch = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && this.draw(), { rootMargin: "200px" });
      this.watch.observe(this);
      this.sizes = new ResizeObserver(() => this.drawn && this.plot.clientWidth > 0 && Plotly.Plots.resize(this.plot));
      this.sizes.observe(this.plot);
      this.say();
    }

    disconnectedCallback() {
      this.watch.disconnect();
      this.sizes.disconnect();
    }

    build() {
      const name = this.getAttribute("name");
      const add = (parent, tag, given) => parent.appendChild(Object.assign(document.createElement(tag), given));
      const head = add(this, "div", { className: "cv-head" });
      this.heading = add(head, "h3", { id: `title-${name}` });
      this.save = add(head, "button", { type: "button", className: "cv-save", textContent: "PNG", hidden: true });
      this.save.addEventListener("click", async () => keep(await image(known.get(name)), `${name}.png`));
      this.words = add(this, "p", { className: "cv-summary", id: `summary-${name}` });
      this.plot = add(this, "div", { className: "cv-plot" });
      this.plot.setAttribute("role", "img");
      this.plot.setAttribute("aria-labelledby", `title-${name} summary-${name}`);
    }

    say() { // the words are there at once, the picture when it is on the screen
      const chart = known.get(this.getAttribute("name"));
      if (!chart) return;
      const empty = chart.data.length === 0;
      if (this.heading.textContent !== chart.title) this.heading.textContent = chart.title;
      if (this.words.textContent !== chart.summary) this.words.textContent = chart.summary;
      this.save.setAttribute("aria-label", `Save "${chart.title}" as PNG`);
      this.classList.toggle("cv-empty", empty);
      this.plot.hidden = this.save.hidden = empty;
      this.stale = true;
      const { top, bottom, width } = this.getBoundingClientRect();
      if (width > 0 && bottom > -200 && top < innerHeight + 200) this.draw();
    }

    draw() {
      const chart = known.get(this.getAttribute("name"));
      if (!chart || !this.stale || this.plot.hidden || this.plot.clientWidth === 0) return;
      this.stale = false;
      const { data, layout } = themed(chart);
      this.drawn = true;
      Plotly.react(this.plot, data, { ...layout, height: this.plot.clientHeight, width: this.plot.clientWidth }, CONFIG);
      this.dataset.drawn = Number(this.dataset.drawn ?? 0) + 1;
    }
  }

  class Feed extends HTMLElement { // gradio changes its text in place
    connectedCallback() {
      this.watch = new MutationObserver(() => this.take());
      this.watch.observe(this, { characterData: true, childList: true, subtree: true });
      this.take();
    }

    disconnectedCallback() {
      this.watch.disconnect();
    }

    take() {
      if (!this.textContent) return;
      for (const [name, chart] of Object.entries(JSON.parse(this.textContent))) {
        known.set(name, chart);
        for (const place of document.querySelectorAll(`cv-chart[name="${CSS.escape(name)}"]`)) place.say();
      }
    }
  }

  // Saving: one chart, or all that are known under each other.
  const image = (chart) => {
    const { data, layout } = themed(chart);
    const title = { text: chart.title.replaceAll("&", "&amp;").replaceAll("<", "&lt;"), x: 0.02, font: { size: 17 } };
    const whole = { ...layout, ...SHAPE, title, paper_bgcolor: shade("--cv-card"), margin: { ...layout.margin, t: 48 } };
    return Plotly.toImage({ data, layout: whole }, { format: "png", scale: 2, ...SHAPE });
  };
  const keep = (address, name) => Object.assign(document.createElement("a"), { href: address, download: name }).click();

  class SaveAll extends HTMLElement {
    connectedCallback() {
      if (this.firstChild) return;
      const button = Object.assign(document.createElement("button"), { type: "button", className: "cv-button", textContent: "All figures (PNG)" });
      button.addEventListener("click", () => this.all());
      this.append(button);
    }

    async all() {
      const charts = [...known.values()].filter((chart) => chart.data.length > 0);
      const pictures = [];
      for (const chart of charts) {
        const picture = new Image();
        picture.src = await image(chart);
        await picture.decode();
        pictures.push(picture);
      }
      if (pictures.length === 0) return;
      const canvas = Object.assign(document.createElement("canvas"), { width: 2 * SHAPE.width, height: 2 * SHAPE.height * pictures.length });
      pictures.forEach((picture, place) => canvas.getContext("2d").drawImage(picture, 0, 2 * SHAPE.height * place));
      canvas.toBlob((blob) => keep(URL.createObjectURL(blob), "figures.png"));
    }
  }

  const followScheme = () => { // of a page without gradio, which does it by itself
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const set = () => document.body.classList.toggle("dark", scheme.matches);
    scheme.addEventListener("change", set);
    set();
  };

  const define = () => {
    if (document.body.dataset.theme === "auto") followScheme();
    customElements.define("cv-chart", Picture);
    customElements.define("cv-feed", Feed);
    customElements.define("cv-save-all", SaveAll);
    const again = () => document.querySelectorAll("cv-chart").forEach((place) => place.say());
    let dark = document.body.classList.contains("dark");
    new MutationObserver(() => {
      if (document.body.classList.contains("dark") !== dark) {
        dark = !dark;
        again();
      }
    }).observe(document.body, { attributes: true, attributeFilter: ["class"] });
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", define);
  else define();
})();
