// The charts: a trace a run, painted in the page's colours.
const DASHES = ["solid", "dot", "dash"], MOST_BARS = 8;

function css(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function painted(trace, few) {
  const index = trace.meta.run, number = colourOf(index), colour = css(`--c${number % COLOURS}`);
  const faded = pinned.size && !pinned.has(index);
  const look = {
    ...trace, opacity: faded ? 0.15 : 1,
    line: {color: colour, width: pinned.has(index) ? 3.5 : 2, dash: DASHES[Math.floor(number / COLOURS) % DASHES.length]},
    marker: {color: colour, size: trace.mode === "markers" ? 10 : 6, line: {color: css("--card"), width: 1}},
  };
  return few ? {...look, type: "bar", mode: undefined, line: undefined, marker: {color: colour}} : look;
}

function cheapest(traces, more) { // the line of the cells that nothing cheaper beats
  const points = traces.map(trace => [trace.x[0], trace.y[0]]).filter(([x]) => x !== null);
  points.sort((a, b) => (more ? b[0] - a[0] : a[0] - b[0]) || b[1] - a[1]);
  let best = -Infinity;
  const front = points.filter(([, y]) => y > best && ((best = y), true));
  return {x: front.map(p => p[0]), y: front.map(p => p[1]), mode: "lines", hoverinfo: "skip", meta: {run: -1},
          line: {color: css("--soft"), width: 1, dash: "dot"}};
}

function drawChart(chart) {
  const layout = structuredClone(chart.layout);
  let traces = chart.data.filter(trace => shown.has(trace.meta.run));
  const axis = chart.axes.length ? document.getElementById(`axis-${chart.name}`).value : null;
  if (axis) {
    traces = traces.map(trace => ({...trace, x: trace.meta.x[axis]}));
    layout.xaxis.title.text = axis;
  }
  const few = chart.name === "sounds" && traces.length <= MOST_BARS;
  const looks = traces.map(trace => painted(trace, few));
  if (axis && traces.length > 1) looks.unshift(cheapest(traces, axis.startsWith("clips")));
  const lines = {gridcolor: css("--grid"), linecolor: css("--line"), zeroline: false};
  Object.assign(layout, {
    uirevision: axis || "same", showlegend: false, hovermode: "closest", barmode: "group",
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", margin: {l: 52, r: 12, t: 8, b: 46},
    font: {color: css("--ink"), size: 12, family: getComputedStyle(document.body).fontFamily},
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    xaxis: {...lines, ...layout.xaxis}, yaxis: {...lines, rangemode: "tozero", ...layout.yaxis},
  });
  const buttons = ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"];
  Plotly.react(`chart-${chart.name}`, looks, layout, {
    responsive: true, displaylogo: false, modeBarButtonsToRemove: buttons,
    toImageButtonOptions: {format: "svg", filename: chart.name},
  });
}

function drawCharts() {
  page.charts.forEach(drawChart);
}

function startCharts() {
  if (!document.getElementById("filters")) drawCharts();
  page.charts.filter(chart => chart.axes.length).forEach(chart =>
    document.getElementById(`axis-${chart.name}`).addEventListener("input", () => drawChart(chart)));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);
  addEventListener("beforeprint", () => { document.documentElement.dataset.print = ""; drawCharts(); });
  addEventListener("afterprint", () => { delete document.documentElement.dataset.print; drawCharts(); });
}
