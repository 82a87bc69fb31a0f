// The runs: where each lies, how it was started, what its log says last.
function copyButton(text, what) {
  const made = element("button", {type: "button", className: "copy", ariaLabel: `Copy ${what}`}, "copy");
  made.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      made.textContent = "copied";
    } catch { // not allowed: mark it, so that the keyboard can copy it
      getSelection().selectAllChildren(made.previousElementSibling);
      made.textContent = "marked";
    }
    setTimeout(() => { made.textContent = "copy"; }, 2000);
  });
  return made;
}

function line(name, ...content) {
  return element("div", {}, element("dt", {}, name), element("dd", {}, ...content));
}

function runEntry(run, open) {
  const score = run.scores[OWN]?.[metric()], name = get("score");
  const summary = element("summary", {}, element("b", {}, labelOf(run)), badge(run),
    score === undefined ? "" : ` ${page.scores[name].title} ${scoreText(name, score)}`, run.note ? `: ${run.note}` : "");
  const lines = [line("folder", element("a", {href: run.link}, element("code", {}, run.folder)), copyButton(run.folder, "the folder"))];
  if (run.command) lines.push(line("command", element("code", {}, run.command), copyButton(run.command, "the command")));
  lines.push(line("seed", String(run.seed)));
  if (run.data) lines.push(line("data", [run.data, run.synthetic ? "drawn clips (synthetic)" : "", run.fingerprint].filter(Boolean).join(", ")));
  if (run.started) lines.push(line("started", run.started.replace("T", " ").replace(/[+.].*/, " UTC")));
  const log = run.log ? element("pre", {tabIndex: 0, ariaLabel: `End of the log of ${labelOf(run)}`}, run.log) : element("p", {className: "about"}, "It has no run.log.");
  return element("details", {open}, summary, element("dl", {}, ...lines), log);
}

function renderRuns() {
  const place = document.getElementById("run-list"), runs = listed().flatMap(runsOf);
  const open = new Set([...place.querySelectorAll("details[open]")].map(entry => entry.querySelector("b").textContent));
  place.replaceChildren(...runs.map(run => runEntry(run, page.runs.length === 1 || open.has(labelOf(run)))));
}
