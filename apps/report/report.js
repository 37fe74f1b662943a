// Renders the report of the JSON that the page carries. No network, no state beyond the page.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("report-data").textContent);
  const main = document.querySelector("main");
  const links = document.querySelector("nav > div");
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const series = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf"];
  const percent = (part, digits = 1) => (part === null || part === undefined || Number.isNaN(part) ? "–" : (100 * part).toFixed(digits) + " %");
  const number = (value, digits = 4) => (value === null || value === undefined ? "–" : Number(value).toPrecision(digits));

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== false && value !== null) made.setAttribute(name, value === true ? "" : value);
    }
    for (const child of children.flat()) if (child !== null && child !== undefined) made.append(child);
    return made;
  }

  function section(id, title, ...children) {
    const made = element("section", {id, "aria-labelledby": id + "-title"}, element("h2", {id: id + "-title"}, title), ...children);
    main.append(made);
    links.append(element("a", {href: "#" + id}, title));
    return made;
  }

  function table(head, rows, sortable = true) {
    const body = element("tbody");
    const fill = (list) => body.replaceChildren(...list.map((row) => element("tr", {}, row.map((cell, i) => element(i === 0 ? "th" : "td", i === 0 ? {scope: "row"} : {}, cell.text ?? String(cell))))));
    let direction = 1;
    const headers = head.map((name, i) => element("th", {scope: "col"}, sortable ? element("button", {type: "button", title: "sort by " + name, onclick: () => {
      direction = -direction;
      const key = (row) => row[i].value ?? row[i];
      fill([...rows].sort((a, b) => (key(a) > key(b) ? 1 : key(a) < key(b) ? -1 : 0) * direction));
    }}, name) : name));
    fill(rows);
    return element("div", {class: "scroll"}, element("table", {}, element("thead", {}, element("tr", {}, headers)), body));
  }

  function chart(title, config, tall = false) {
    const canvas = element("canvas", {role: "img", "aria-label": title});
    const box = element("div", {class: tall ? "chart tall" : "chart"}, canvas);
    requestAnimationFrame(() => {
      Chart.defaults.color = colour("--text");
      Chart.defaults.borderColor = colour("--line");
      config.options = {animation: false, responsive: true, maintainAspectRatio: false, ...config.options};
      config.options.plugins = {title: {display: true, text: title}, ...config.options.plugins};
      canvas.chart = new Chart(canvas, config);
    });
    return box;
  }

  const lines = (names, x, ys) => ({labels: x, datasets: names.map((label, i) => ({label, data: ys[i], borderColor: series[i], backgroundColor: series[i], pointRadius: x.length > 40 ? 0 : 2, borderWidth: 2}))});
  const axes = (x, y, more = {}) => ({x: {title: {display: true, text: x}, ...more.x}, y: {title: {display: true, text: y}, ...more.y}});

  const dialog = element("dialog", {"aria-label": "pictures"});
  document.body.append(dialog);
  function show(title, ...content) {
    dialog.replaceChildren(element("button", {type: "button", class: "close", onclick: () => dialog.close()}, "Close"), element("h2", {}, title), ...content);
    dialog.showModal();
  }
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  const classes = data.classes;
  const name = (path) => path.split("/").slice(-2).join("/");
  const describe = (p) => {
    if (data.task === "classes") return [element("span", {class: p.truth === p.answer ? "right" : "wrong"}, `${classes[p.answer]} ${percent(p.score)}`), p.truth === p.answer ? "" : ` (is ${classes[p.truth]}, ${percent(p.truth_score)})`];
    return [classes.map((label, k) => `${label}: ${number(p.values[k], 3)} (${number(p.target[k], 3)})`).slice(0, 6).join(", ")];
  };

  let overlays = false;
  function picture(p) {
    const source = (overlays && data.overlays[p.file]) || data.thumbnails[p.file];
    const image = source ? element("img", {src: source, alt: name(p.path), loading: "lazy", "data-file": p.file}) : element("span", {class: "none"}, "no thumbnail");
    return element("div", {class: "picture"}, element("button", {type: "button", class: "thumb", "aria-label": "enlarge " + name(p.path), onclick: () => show(name(p.path),
      element("p", {class: "faint"}, p.path), element("div", {class: "pictures"}, [data.thumbnails[p.file], data.overlays[p.file]].filter(Boolean).map((src) => element("img", {src, alt: "", width: 320}))), element("p", {}, describe(p)), element("p", {class: "faint"}, `loss ${number(p.loss)}`))}, image),
      element("div", {}, describe(p)), element("div", {class: "faint"}, name(p.path)));
  }
  const pictures = (list) => element("div", {class: "pictures"}, list.map(picture));

  // What it comes to.
  const figures = element("div", {class: "figures"});
  for (const [label, value] of data.figures) figures.append(element("div", {class: "figure"}, element("b", {}, value), label));
  section("summary", "Summary", figures, ...data.summary.map((text) => element("p", {}, text)));

  if (data.parts.length > 0)
    section("parts", "Figures", table(["", ...data.parts.map((part) => part.split)], data.parts[0].rows.map((row, i) => [row[0], ...data.parts.map((part) => part.rows[i][1])]), false));

  if (data.history.length > 1) {
    const x = data.history.map((e) => e.epoch);
    section("curves", "Training", element("div", {class: "charts"},
      chart("loss", {type: "line", data: lines(["training", "validation"], x, [data.history.map((e) => e.train_loss), data.history.map((e) => e.val_loss)]), options: {scales: axes("epoch", "loss")}}),
      chart(data.score_name, {type: "line", data: lines(["validation"], x, [data.history.map((e) => e.val_score)]), options: {scales: axes("epoch", data.score_name)}})));
  }
  if (data.trials.length > 0)
    section("choice", "What was tried", element("p", {}, data.conclusion), table(["candidate", "right", "loss", "pictures", "seconds", "verdict"], data.trials.map((t) => [t.what, {text: percent(t.accuracy), value: t.accuracy}, {text: number(t.loss, 3), value: t.loss}, t.pictures, {text: t.seconds.toFixed(1), value: t.seconds}, t.verdict])));

  const predictions = data.predictions;
  if (data.task === "classes" && predictions.length > 0) {
    const count = new Map();
    for (const p of predictions) {
      const key = p.truth * classes.length + p.answer;
      if (!count.has(key)) count.set(key, []);
      count.get(key).push(p);
    }
    const seen = [...new Set(predictions.flatMap((p) => [p.truth, p.answer]))].sort((a, b) => a - b);
    const cell = (t, a) => count.get(t * classes.length + a) ?? [];
    const open = (t, a) => show(t === a ? `${classes[t]}: right` : `${classes[t]} taken for ${classes[a]}`, pictures([...cell(t, a)].sort((x, y) => y.loss - x.loss).slice(0, 120)));
    if (seen.length <= 30) {
      const most = Math.max(1, ...seen.map((t) => seen.reduce((sum, a) => sum + cell(t, a).length, 0)));
      section("confusion", "Confusion", element("p", {class: "faint"}, "Rows: what pictures show; columns: what is answered. A number opens its pictures."),
        element("div", {class: "scroll"}, element("table", {class: "confusion"}, element("thead", {}, element("tr", {}, element("th"), seen.map((a) => element("th", {scope: "col", title: classes[a]}, classes[a])))),
          element("tbody", {}, seen.map((t) => element("tr", {}, element("th", {scope: "row"}, classes[t]), seen.map((a) => {
            const n = cell(t, a).length;
            const tint = Math.round(8 + 60 * n / most);
            return element("td", {}, element("button", {type: "button", disabled: n === 0, style: n === 0 ? null : `background: color-mix(in srgb, ${t === a ? "var(--good)" : "var(--bad)"} ${tint}%, transparent)`,
              "aria-label": `${classes[t]} answered as ${classes[a]}: ${n}`, onclick: () => open(t, a)}, String(n)));
          })))))));
    }
    const pairs = [...count.entries()].map(([key, list]) => ({t: Math.floor(key / classes.length), a: key % classes.length, n: list.length})).filter((pair) => pair.t !== pair.a).sort((x, y) => y.n - x.n);
    if (seen.length > 30 && pairs.length > 0)
      section("confusion", "Confusion", element("p", {class: "faint"}, `${pairs.length} pairs of classes are confused; the most frequent:`),
        element("div", {}, pairs.slice(0, 40).map((pair) => element("p", {}, element("button", {type: "button", onclick: () => open(pair.t, pair.a)}, `${pair.n} × ${classes[pair.t]} taken for ${classes[pair.a]}`)))));
    section("classes", "Classes", table(["class", "pictures", "precision", "recall", "F1", "AP"], data.per_class.map((c) => [c.class, c.images, {text: c.predicted ? percent(c.precision) : "–", value: c.precision}, {text: c.images ? percent(c.recall) : "–", value: c.recall}, {text: c.f1.toFixed(3), value: c.f1}, {text: c.average_precision === null ? "–" : c.average_precision.toFixed(3), value: c.average_precision ?? -1}])));

    const wrong = predictions.filter((p) => p.truth !== p.answer).sort((a, b) => b.loss - a.loss);
    const unsure = [...predictions].sort((a, b) => a.score - b.score);
    const hasOverlays = Object.keys(data.overlays).length > 0;
    const lists = element("div");
    const fill = () => lists.replaceChildren(element("h3", {}, `Mistakes, the largest loss first (${wrong.length})`), wrong.length > 0 ? pictures(wrong.slice(0, 60)) : element("p", {}, "There are none."),
      element("h3", {}, "Least certain"), pictures(unsure.slice(0, 12)));
    fill();
    section("mistakes", "Pictures", hasOverlays ? element("label", {}, element("input", {type: "checkbox", id: "overlays", onchange: (event) => { overlays = event.target.checked; fill(); }}), ` where the network looked (${data.explained_by})`) : null, lists);

    const bins = Array.from({length: 10}, () => ({n: 0, right: 0, sum: 0}));
    for (const p of predictions) {
      const bin = bins[Math.min(9, Math.floor(p.score * 10))];
      bin.n += 1;
      bin.right += p.truth === p.answer;
      bin.sum += p.score;
    }
    section("calibration", "Calibration", element("p", {class: "faint"}, `Answers that are ${"90 %"} sure should be right nine times of ten. Expected calibration error ${number(data.calibration_error, 3)}.`),
      chart("how often answers are right, by how sure they are", {type: "bar", data: {labels: bins.map((_, i) => `${i * 10}–${i * 10 + 10} %`), datasets: [
        {label: "right", data: bins.map((b) => (b.n ? b.right / b.n : null)), backgroundColor: series[0]},
        {label: "mean confidence", type: "line", data: bins.map((b) => (b.n ? b.sum / b.n : null)), borderColor: series[1], backgroundColor: series[1], pointRadius: 4, spanGaps: true}]},
        options: {scales: axes("confidence", "right", {y: {min: 0, max: 1}}), plugins: {tooltip: {callbacks: {afterLabel: (item) => `${bins[item.dataIndex].n} pictures`}}}}}));
  } else if (predictions.length > 0) {
    if (data.per_label.length > 0)
      section("classes", "Labels", table(["label", "pictures", "precision", "recall", "F1", "AP", "best threshold", "F1 there"], data.per_label.map((l) => [l.label, l.images, {text: percent(l.precision), value: l.precision}, {text: percent(l.recall), value: l.recall}, {text: l.f1.toFixed(3), value: l.f1}, {text: number(l.average_precision, 3), value: l.average_precision ?? -1}, {text: l.best_threshold.toFixed(3), value: l.best_threshold}, {text: l.f1_at_best_threshold.toFixed(3), value: l.f1_at_best_threshold}])));
    if (data.task === "regression")
      section("residuals", "Residuals", element("div", {class: "charts"}, classes.map((label, k) => chart(label, {type: "scatter", data: {datasets: [{label: "true − predicted", data: predictions.map((p) => ({x: p.values[k], y: p.target[k] - p.values[k]})), backgroundColor: series[k % series.length]}]}, options: {scales: axes("predicted", "left over"), plugins: {legend: {display: false}}}}))));
    section("mistakes", "Pictures", element("h3", {}, "Largest losses first"), pictures([...predictions].sort((a, b) => b.loss - a.loss).slice(0, 60)));
  }

  if (data.map.length > 0) {
    const hover = element("div", {class: "hover"});
    document.body.append(hover);
    const scatter = (title, key) => {
      const groups = new Map();
      for (const point of data.map) {
        const p = predictions[point.prediction];
        const group = data.task === "classes" ? classes[p.truth] : "pictures";
        if (!groups.has(group)) groups.set(group, []);
        groups.get(group).push({x: point[key][0], y: point[key][1], p});
      }
      return chart(title, {type: "scatter", data: {datasets: [...groups.entries()].map(([label, points], i) => ({label, data: points, backgroundColor: series[i % series.length], pointRadius: 4, pointStyle: ["circle", "triangle", "rect", "rectRot", "star"][Math.floor(i / series.length) % 5]}))},
        options: {scales: {x: {display: false}, y: {display: false}}, plugins: {legend: {display: groups.size <= 20}, tooltip: {enabled: false, external: ({chart: made, tooltip}) => {
          if (tooltip.opacity === 0 || !tooltip.dataPoints) { hover.style.display = "none"; return; }
          const p = tooltip.dataPoints[0].raw.p;
          hover.replaceChildren(data.thumbnails[p.file] ? element("img", {src: data.thumbnails[p.file], alt: ""}) : "", element("div", {}, describe(p)), element("div", {class: "faint"}, name(p.path)));
          const box = made.canvas.getBoundingClientRect();
          hover.style.display = "block";
          hover.style.left = Math.min(box.left + tooltip.caretX + 12, innerWidth - 160) + "px";
          hover.style.top = Math.min(box.top + tooltip.caretY + 12, innerHeight - 200) + "px";
        }}}, onClick: (_, items, made) => { if (items.length > 0) { const p = made.data.datasets[items[0].datasetIndex].data[items[0].index].p; show(name(p.path), pictures([p])); } }}}, true);
    };
    section("map", "Features in the plane", element("p", {class: "faint"}, "What the network makes of pictures, drawn so that similar ones lie together. Pictures among another class are worth a look."),
      element("div", {class: "charts"}, scatter("t-SNE", "tsne"), scatter("principal components", "pca")));
  }

  if (data.activations.length > 0)
    section("activations", "Inside the network", ...data.activations.map((a) => element("div", {}, element("p", {}, a.title), element("img", {src: a.image, alt: a.title, style: "max-width: 100%; image-rendering: pixelated"}))));
  if (data.augmentation.length > 0)
    section("augmentation", "What training saw", element("p", {class: "faint"}, data.augmentation_text),
      element("div", {class: "sheet", style: `grid-template-columns: repeat(${data.augmentation[0].length}, 1fr)`}, data.augmentation.flat().map((src) => element("img", {src, alt: "", loading: "lazy"}))));

  const list = (title, items) => (items.length > 0 ? element("details", {}, element("summary", {}, `${title} (${items.length})`), element("ul", {}, items.slice(0, 500).map((item) => element("li", {}, item)))) : null);
  section("data", "Data", element("p", {}, data.account.line), list("Unreadable", data.account.unreadable), list("Not pictures", data.account.ignored), list("Notes", data.notes));
  section("settings", "Settings and machine", element("p", {}, "The same run once more:"), element("pre", {}, data.command), element("pre", {}, data.config), table(["", ""], Object.entries(data.machine).map(([key, value]) => [key, String(value)]), false));
})();
