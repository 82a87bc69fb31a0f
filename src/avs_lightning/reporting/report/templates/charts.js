// The charts: a trace a cell, the mean of its seeds with their deviation, painted in the page's colours.
const DASHES = ["solid", "dot", "dash"], MOST_BARS = 8, FEW_EPOCHS = 12;
const COST_AXES = {
  "train minutes": cost => cost.train_seconds / 60,
  "clips a second in training": cost => cost.clips_per_second,
  "parameters, millions": cost => cost.parameters / 1e6,
  "peak memory, MiB": cost => cost.peak_memory_mib,
};
const CHARTS = {validation: validationChart, loss: lossChart, cost: costChart, sounds: soundsChart, seconds: secondsChart, categories: categoriesChart};

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function plotted(text) { // plotly reads HTML in texts
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function twoLines(text) {
  return text.length > 12 ? text.replace(/^(.{6,}?) /, "$1<br>") : text;
}

function unit(score = get("score")) {
  const {title, scale, decimals} = page.scores[score];
  return {title, of: value => value === null ? null : scale * value, format: `.${decimals}f`};
}

function points(cell, name) { // of a curve: [epoch, mean, deviation]
  const curves = runsOf(cell).map(run => new Map(run.curves[name] || []));
  const epochs = [...new Set(curves.flatMap(curve => [...curve.keys()]))].sort((a, b) => a - b);
  return epochs.map(epoch => [epoch, stats(curves.map(curve => curve.get(epoch)))]);
}

function curves(cells, name, of, format) {
  return cells.map(cell => {
    const found = points(cell, name);
    return {cell, x: found.map(([epoch]) => epoch), y: found.map(([, {mean}]) => of(mean)), std: found.map(([, {std}]) => of(std)),
            mode: found.length > 1 ? "lines" : "markers", where: "epoch %{x}", value: `%{y:${format}}`};
  }).filter(trace => trace.x.length);
}

function epochsAxis(traces) {
  const last = Math.max(...traces.flatMap(trace => trace.x));
  return {title: {text: "epoch"}, ...(last <= FEW_EPOCHS ? {dtick: 1} : {})};
}

function validationChart(cells) {
  const {title, of, format} = unit(), traces = curves(cells, metric(), of, format);
  return {traces, x: epochsAxis(traces), y: {title: {text: title}}, about: `validation ${title} by epoch, protocol ${get("protocol")}`};
}

function lossChart(cells) {
  const traces = curves(cells, "loss", value => value, ".4~g");
  return {traces, x: epochsAxis(traces), y: {title: {text: "loss"}}, about: "training loss, mean of each epoch"};
}

function costChart(cells) {
  const {title, of, format} = unit(), axis = document.getElementById("axis-cost");
  if (!axis.options.length) axis.append(...Object.keys(COST_AXES).filter(name => page.runs.some(run => Number.isFinite(COST_AXES[name](run.cost))))
    .map(name => element("option", {}, name)));
  const name = COST_AXES[get("cost")] ? get("cost") : axis.value || "train minutes", higher = page.scores[get("score")].higher_is_better;
  axis.value = name;
  const traces = cells.map(cell => {
    const cost = stats(runsOf(cell).map(run => COST_AXES[name](run.cost)).filter(Number.isFinite)), score = scoreOf(cell);
    return {cell, x: [cost.mean], y: [of(score.mean)], std: [of(score.std)], bars: true, mode: "markers", where: "%{x:,.4~g}", value: `%{y:${format}}`};
  }).filter(({x, y}) => x[0] !== null && y[0] !== null);
  return {traces, front: traces.length > 1 ? cheapest(traces, name.startsWith("clips"), higher) : null, x: {title: {text: name}, rangemode: "tozero"},
          y: {title: {text: title}}, about: `test ${title} against cost; the line joins the cells that nothing cheaper beats`};
}

function cheapest(traces, more, higher) {
  const found = traces.map(trace => [trace.x[0], trace.y[0]]), sign = higher ? 1 : -1;
  found.sort((a, b) => (more ? b[0] - a[0] : a[0] - b[0]) || sign * (b[1] - a[1]));
  let best = -Infinity;
  const front = found.filter(([, y]) => sign * y > best && ((best = sign * y), true));
  return {x: front.map(p => p[0]), y: front.map(p => p[1]), mode: "lines", hoverinfo: "skip", line: {color: css("--soft"), width: 1, dash: "dot"}};
}

function soundsChart(cells) {
  const {title, of, format} = unit(), sounds = heard();
  const traces = cells.map(cell => {
    const found = sounds.map(sound => scoreOf(cell, sound));
    return {cell, x: sounds.map(sound => twoLines(plotted(soundName(sound)))), y: found.map(({mean}) => of(mean)), std: found.map(({std}) => of(std)),
            bars: true, mode: "lines+markers", where: "%{x}", value: `%{y:${format}}`};
  }).filter(trace => trace.y.some(value => value !== null));
  const few = traces.length <= MOST_BARS;
  return {traces: traces.map(trace => ({...trace, columns: few})), x: {title: {text: ""}, type: "category", automargin: true}, y: {title: {text: title}},
          about: `test ${title} by what is heard: what listens must lose with a sound that is not its own`};
}

function secondsChart(cells) {
  const {of, format} = unit("miou"), names = [...new Set(page.runs.flatMap(run => Object.keys(run.scores[OWN] || {})))].filter(name => name.startsWith("miou_second_"));
  const seconds = names.map(name => Number(name.slice("miou_second_".length))).sort((a, b) => a - b);
  const traces = cells.map(cell => {
    const found = seconds.map(second => stats(runsOf(cell).map(run => run.scores[OWN]?.[`miou_second_${second}`])));
    return {cell, x: seconds, y: found.map(({mean}) => of(mean)), std: found.map(({std}) => of(std)), mode: "lines+markers", where: "second %{x}", value: `%{y:${format}}`};
  }).filter(trace => trace.y.some(value => value !== null));
  return {traces, x: {title: {text: "second of the clip"}, dtick: 1}, y: {title: {text: "mIoU %"}}, about: "test mIoU by second, always protocol frame"};
}

function categoriesChart(cells) {
  const score = get("score"), {title, of, format} = unit(), means = {};
  const valueOf = (cell, name) => stats(runsOf(cell).map(run => run.categories[name]?.[score])).mean;
  const names = [...new Set(page.runs.flatMap(run => Object.keys(run.categories)))];
  // A category's place is fixed by all cells, so that rows do not jump when cells are filtered.
  names.forEach(name => { means[name] = stats(page.cells.map(cell => valueOf(cell, name))).mean ?? 0; });
  names.sort((a, b) => means[a] - means[b]);
  const spelled = name => plotted(name.replaceAll("_", " "));
  const traces = cells.map(cell => {
    const found = names.filter(name => valueOf(cell, name) !== null);
    return {cell, x: found.map(name => of(valueOf(cell, name))), y: found.map(spelled), mode: "markers", where: "%{y}", value: `%{x:${format}}`};
  }).filter(trace => trace.x.length);
  return {traces, x: {title: {text: title}, rangemode: "tozero"}, height: Math.max(340, 90 + 22 * names.length),
          y: {title: {text: ""}, type: "category", categoryorder: "array", categoryarray: names.map(spelled), dtick: 1, automargin: true},
          about: `test ${title} by ${page.grouping}, always protocol frame${page.grouping === "class" ? "" : ", mean over clips"}; the lowest at the bottom`};
}

function painted({cell, x, y, std, bars, columns, mode, where, value}) {
  const index = page.cells.indexOf(cell), number = colourOf(cell), colour = css(`--c${number % COLOURS}`), pins = pinned();
  const look = {
    x, y, name: plotted(cell.name), meta: {cell: index}, opacity: pins.size && !pins.has(index) ? 0.15 : 1,
    hovertemplate: `<b>%{fullData.name}</b><br>${where}: ${value}<extra></extra>`,
    line: {color: colour, width: pins.has(index) ? 3.5 : 2, dash: DASHES[Math.floor(number / COLOURS) % DASHES.length]},
    marker: {color: colour, size: mode === "markers" ? 10 : 6, line: {color: css("--card"), width: 1}},
  };
  const spread = std?.some(value => value !== null) ? std : null;
  if (spread && bars) look.error_y = {type: "data", array: spread, color: colour, thickness: 1.5, width: 3};
  const shape = columns ? {...look, type: "bar", line: undefined, marker: {color: colour}} : {...look, mode};
  return spread && !bars ? [band(x, y, spread, colour, look.opacity), shape] : [shape];
}

function band(x, y, std, colour, opacity) { // one deviation above and below the mean
  const places = x.map((_, place) => place).filter(place => y[place] !== null && std[place] !== null), back = [...places].reverse();
  return {x: [...places, ...back].map(place => x[place]), y: [...places.map(place => y[place] + std[place]), ...back.map(place => y[place] - std[place])],
          fill: "toself", fillcolor: colour, opacity: 0.16 * opacity, line: {width: 0}, mode: "lines", hoverinfo: "skip", meta: {band: true}};
}

function drawChart(name) {
  const figure = document.getElementById(`figure-${name}`), chart = CHARTS[name](charted()), nothing = !chart.traces.length;
  figure.hidden = (nothing && (!inWords() || !CHARTS[name](page.cells).traces.length)) || (name === "cost" && page.cells.length === 1)
    || (name === "sounds" && heard().length === 1);
  if (figure.hidden) return;
  figure.querySelector(".about").textContent = chart.about;
  figure.querySelector(".nothing").hidden = !nothing;
  figure.querySelector(".chart").hidden = nothing;
  if (nothing) return;
  const looks = [...(chart.front ? [chart.front] : []), ...chart.traces.flatMap(painted)];
  const lines = {gridcolor: css("--grid"), linecolor: css("--line"), zeroline: false};
  const place = {title: {standoff: 10}};
  Plotly.react(`chart-${name}`, looks, {
    height: chart.height || 340, uirevision: `${get("score")} ${chart.x.title.text}`, showlegend: false, hovermode: "closest", barmode: "group",
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: {l: 52, r: 12, t: 8, b: 46},
    font: {color: css("--ink"), size: 12, family: getComputedStyle(document.body).fontFamily},
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    xaxis: {...lines, ...chart.x, title: {...place.title, ...chart.x.title}}, yaxis: {...lines, rangemode: "tozero", ...chart.y, title: {...place.title, ...chart.y.title}},
  }, {
    responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
    toImageButtonOptions: {format: "svg", filename: name},
  });
}

function renderCharts() {
  const none = !charted().length;
  document.getElementById("figures").hidden = none;
  if (!none) Object.keys(CHARTS).forEach(drawChart);
  document.getElementById("charts").hidden = Object.keys(CHARTS).every(name => document.getElementById(`figure-${name}`).hidden) && !none;
}

function startCharts() {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", renderCharts);
  addEventListener("beforeprint", () => { document.documentElement.dataset.print = ""; renderCharts(); });
  addEventListener("afterprint", () => { delete document.documentElement.dataset.print; renderCharts(); });
}
