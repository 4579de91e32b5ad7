// Saves pictures as PNG: each with its title, what it is of, and its words; several in two columns, on white paper.
"use strict";
const Saving = (() => {
  const SHAPE = { width: 860, height: 380, scale: 2, gap: 28 };
  const lines = (paint, text, width) => {
    const found = [""];
    for (const word of text.split(" ")) {
      const longer = found.at(-1) === "" ? word : `${found.at(-1)} ${word}`;
      if (paint.measureText(longer).width <= width) found[found.length - 1] = longer;
      else found.push(word);
    }
    return found;
  };
  const texts = (paint, chart, { ink, soft }) => {
    const parts = [[chart.title, "600 17px system-ui, sans-serif", ink, 24], [chart.of ?? "", "13px system-ui, sans-serif", ink, 19],
      [chart.summary, "13px system-ui, sans-serif", soft, 18]];
    return parts.filter(([text]) => text).flatMap(([text, font, color, height]) => {
      paint.font = font;
      return lines(paint, text, SHAPE.width).map((line) => ({ line, font, color, height }));
    });
  };
  const painted = async (chart, colours) => {
    const { data, layout } = Look.themed(chart, colours);
    const shape = { width: SHAPE.width, height: SHAPE.height };
    const picture = new Image();
    picture.src = await Plotly.toImage({ data, layout: { ...layout, ...shape } }, { format: "png", scale: SHAPE.scale, ...shape });
    await picture.decode();
    return picture;
  };
  const sheet = async (charts) => {
    const colours = Look.look(true);
    const canvas = document.createElement("canvas");
    const paint = canvas.getContext("2d");
    const cells = charts.map((chart) => ({ chart, words: texts(paint, chart, colours) }));
    const columns = Math.min(2, cells.length);
    const rows = [];
    for (let at = 0; at < cells.length; at += columns) rows.push(cells.slice(at, at + columns));
    const head = (row) => Math.max(...row.map(({ words }) => words.reduce((sum, { height }) => sum + height, 6)));
    canvas.width = SHAPE.scale * (columns * (SHAPE.width + SHAPE.gap) + SHAPE.gap);
    canvas.height = SHAPE.scale * rows.reduce((sum, row) => sum + head(row) + SHAPE.height + SHAPE.gap, SHAPE.gap);
    paint.scale(SHAPE.scale, SHAPE.scale);
    paint.fillStyle = colours.paper;
    paint.fillRect(0, 0, canvas.width, canvas.height);
    paint.textBaseline = "top";
    let top = SHAPE.gap;
    for (const row of rows) {
      for (const [place, { chart, words }] of row.entries()) {
        const left = SHAPE.gap + place * (SHAPE.width + SHAPE.gap);
        let under = top;
        for (const { line, font, color, height } of words) {
          Object.assign(paint, { font, fillStyle: color });
          paint.fillText(line, left, under);
          under += height;
        }
        paint.drawImage(await painted(chart, colours), left, top + head(row), SHAPE.width, SHAPE.height);
      }
      top += head(row) + SHAPE.height + SHAPE.gap;
    }
    return canvas;
  };
  const save = async (charts, name) => {
    const canvas = await sheet(charts);
    canvas.toBlob((blob) => {
      const address = URL.createObjectURL(blob);
      Object.assign(document.createElement("a"), { href: address, download: name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    });
  };

  return { save };
})();
