// Draws the charts that come as JSON in <cv-feed> where <cv-chart name="..."> stands, once they are on the screen.
"use strict";
(() => {
  const known = new Map(); // by name: the chart as it came last
  const opened = new Set(); // keys of the texts that the reader has opened
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
      this.save.addEventListener("click", () => Saving.save([known.get(name)], `${name}.png`));
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
      this.classList.toggle("cv-stale", Boolean(this.drawn)); // what was drawn is not what the words say
      const { top, bottom, width } = this.getBoundingClientRect();
      if (width > 0 && bottom > -200 && top < innerHeight + 200) this.draw();
    }

    draw() {
      const chart = known.get(this.getAttribute("name"));
      if (!chart || !this.stale || this.plot.hidden || this.plot.clientWidth === 0) return;
      this.stale = false;
      this.classList.remove("cv-stale");
      const { data, layout } = Look.themed(chart, Look.look());
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

  class SaveAll extends HTMLElement {
    connectedCallback() {
      if (this.firstChild) return;
      const button = Object.assign(document.createElement("button"), { type: "button", className: "cv-button", textContent: "All figures (PNG)" });
      button.addEventListener("click", () => this.all());
      this.append(button);
    }

    async all() {
      const charts = [...known.values()].filter((chart) => chart.data.length > 0);
      if (charts.length > 0) await Saving.save(charts, "figures.png");
    }
  }

  class Keep extends HTMLElement { // what the reader has opened stays open: gradio changes it in place, and so shuts it
    constructor() {
      super();
      this.addEventListener("click", ({ target }) => {
        const key = this.getAttribute("key");
        if (target.closest("summary")) opened[opened.has(key) ? "delete" : "add"](key);
      });
      this.watch = new MutationObserver(() => this.set());
    }

    connectedCallback() {
      this.watch.observe(this, { attributes: true, childList: true, subtree: true });
      this.set();
    }

    disconnectedCallback() {
      this.watch.disconnect();
    }

    set() {
      const details = this.querySelector("details");
      const open = opened.has(this.getAttribute("key"));
      if (details && details.open !== open) details.open = open;
    }
  }

  const printing = () => { // all of the page as it is now, on white paper
    const dark = document.body.classList.contains("dark");
    document.body.classList.remove("dark");
    for (const place of document.querySelectorAll("cv-chart")) {
      place.stale ||= dark;
      place.draw();
    }
    addEventListener("afterprint", () => document.body.classList.toggle("dark", dark), { once: true });
  };

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
    customElements.define("cv-keep", Keep);
    addEventListener("beforeprint", printing);
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
