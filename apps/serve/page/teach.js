"use strict";

const state = { classes: new Map(), running: false, wasRunning: false };
const path = name => "/v1/teach/classes/" + encodeURIComponent(name);

/// Shows what counts say; a class comes before its first picture, which the server then makes a folder for.
function count(name, pictures) {
  const one = state.classes.get(name) || addClass(name);
  one.pictures = pictures;
  one.element.querySelector(".count").textContent = pictures === 1 ? "1 picture" : `${pictures} pictures`;
}

function canTrain() {
  const filled = [...state.classes.values()].filter(one => one.pictures > 1);
  byId("train").disabled = state.running || filled.length < 2;
  if (!state.running && !byId("status").textContent && filled.length < 2) say("Two classes with two pictures each are the least.");
}

function addClass(name) {
  const element = byId("class").content.firstElementChild.cloneNode(true);
  element.querySelector("h2").textContent = name;
  element.dataset.name = name;
  const input = element.querySelector("input"), label = element.querySelector("label"), drop = element.querySelector(".drop");
  input.id = "files-" + state.classes.size;
  label.htmlFor = input.id;
  label.setAttribute("aria-label", `Choose pictures of ${name}`);
  input.addEventListener("change", event => { give(name, [...event.target.files]); event.target.value = ""; });
  drop.addEventListener("drop", event => { event.preventDefault(); event.stopPropagation(); drop.classList.remove("over"); give(name, [...event.dataTransfer.files]); });
  drop.addEventListener("dragover", event => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  byId("classes").append(element);
  const one = { element, pictures: 0 };
  state.classes.set(name, one);
  count(name, 0);
  return one;
}

async function give(name, files) {
  if (!files.length) return;
  say(files.length === 1 ? `A picture of ${name}…` : `${files.length} pictures of ${name}…`);
  const problems = [];
  let kept = 0;
  for (const file of files) {
    try {
      const { results } = await json(path(name), sent(file));
      if (results[0].error) throw new Error(results[0].error);
      show(name, file, results[0].picture);
      ++kept;
    } catch (error) {
      problems.push(`${file.name}: ${error.message}`);
    }
  }
  await refresh();
  say([kept === 1 ? `1 picture of ${name} kept` : `${kept} pictures of ${name} kept`, ...problems].join("; "));
  canTrain();
}

function show(name, file, picture) {
  const list = state.classes.get(name).element.querySelector(".pictures");
  if ([...list.children].some(item => item.dataset.picture === picture)) return;
  const item = document.createElement("li"), image = document.createElement("img"), remove = document.createElement("button");
  item.dataset.picture = picture;
  image.src = URL.createObjectURL(file);
  image.alt = file.name || "picture";
  remove.type = "button";
  remove.textContent = "×";
  remove.setAttribute("aria-label", `Take ${image.alt} away`);
  remove.addEventListener("click", async () => {
    try {
      await json(`${path(name)}/${encodeURIComponent(picture)}`, { method: "DELETE" });
      item.remove();
      await refresh();
      say(`${image.alt} is taken away`);
    } catch (error) {
      say(error.message);
    }
  });
  item.append(image, remove);
  list.append(item);
}

/// What was given before this page was opened, at most so many of each class.
const SHOWN = 60;
async function showKept(name) {
  const { pictures } = await json(path(name));
  for (const picture of pictures.slice(-SHOWN)) {
    const reply = await call(`${path(name)}/${encodeURIComponent(picture)}`);
    if (reply.ok) show(name, new File([await reply.blob()], picture), picture);
  }
}

const PHASES = { reading: "Reading the pictures", training: "Training" };

async function refresh() {
  const told = await json("/v1/teach");
  for (const one of told.classes) count(one.name, one.pictures);
  const known = new Set(told.classes.map(one => one.name));
  for (const name of state.classes.keys()) if (!known.has(name)) count(name, 0);
  state.running = told.running;
  byId("stop").hidden = byId("progress").hidden = !told.running;
  const progress = byId("progress");
  if (told.running) {
    if (told.total > 0) {
      progress.max = told.total;
      progress.value = told.done;
    } else {
      progress.removeAttribute("value");
    }
    say(`${PHASES[told.phase] || told.phase}…`);
  } else if (state.wasRunning) {
    say(told.error ? `It could not learn: ${told.error}` : `Learnt. It is right on ${percent(told.trained.accuracy)} of ${told.trained.pictures} pictures that were held back; ${told.trained.conclusion}.${told.trained.unreadable ? ` ${told.trained.unreadable} could not be read.` : ""}`);
  }
  state.wasRunning = told.running;
  byId("try").hidden = told.trained === null;
  canTrain();
  return told;
}

async function begin() {
  try {
    for (const { name } of (await refresh()).classes) await showKept(name);
  } catch (error) {
    say(error.message);
  }
  watch();
}

async function watch() {
  try {
    while ((await refresh()).running) await new Promise(resolve => setTimeout(resolve, 300));
  } catch (error) {
    say(error.message);
  }
}

async function ask(file) {
  try {
    const { results: [result] } = await json("/v1/classify?model=taught", sent(file));
    if (result.error) throw new Error(result.error);
    const item = byId("answer").content.firstElementChild.cloneNode(true);
    item.querySelector("img").src = URL.createObjectURL(file);
    item.querySelector("img").alt = file.name || "picture";
    item.querySelector("figcaption").textContent = file.name || "picture";
    item.querySelector(".label").textContent = result.label;
    item.querySelector(".doubt").textContent = doubtOf(result);
    item.querySelector(".doubt").hidden = !doubtOf(result);
    showScores(item.querySelector(".scores"), "classes", result.top);
    byId("answers").prepend(item);
    say(`${file.name || "picture"}: ${result.label} ${percent(result.score)}`);
  } catch (error) {
    say(error.message);
  }
}

async function download() {
  try {
    const reply = await call("/v1/teach/model.onnx");
    if (!reply.ok) throw new Error((await reply.json()).error.text);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(await reply.blob());
    link.download = "model.onnx";
    link.click();
  } catch (error) {
    say(error.message);
  }
}

byId("new-class").addEventListener("submit", event => {
  event.preventDefault();
  const name = byId("class-name").value.trim();
  if (!name) return;
  if (!state.classes.has(name)) addClass(name);
  byId("class-name").value = "";
  state.classes.get(name).element.querySelector("input").focus();
});
byId("train").addEventListener("click", async () => {
  try {
    await json("/v1/teach/train", { method: "POST" });
    state.wasRunning = true;
    watch();
  } catch (error) {
    say(error.message);
  }
});
byId("stop").addEventListener("click", () => json("/v1/teach/stop", { method: "POST" }).catch(error => say(error.message)));
byId("download").addEventListener("click", download);
byId("try-file").addEventListener("change", event => { [...event.target.files].forEach(ask); event.target.value = ""; });
byId("drop").addEventListener("dragover", event => { event.preventDefault(); byId("drop").classList.add("over"); });
byId("drop").addEventListener("dragleave", () => byId("drop").classList.remove("over"));
byId("drop").addEventListener("drop", event => { event.preventDefault(); byId("drop").classList.remove("over"); [...event.dataTransfer.files].forEach(ask); });
// A picture that misses its place must not replace the page.
document.addEventListener("dragover", event => event.preventDefault());
document.addEventListener("drop", event => event.preventDefault());
askForToken(begin);
begin();
