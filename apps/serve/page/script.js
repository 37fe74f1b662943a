"use strict";

const state = { models: [], places: "" };

const chosen = () => state.models.filter(model => state.models.length === 1 || byId("model-" + model.name).checked);

function ask(kind, model, file, more = {}) {
  const query = new URLSearchParams({ model: model.name, ...more });
  return json(`/v1/${kind}?${query}`, sent(file))
    .then(body => {
      const result = body.results[0];
      if (result.error) throw new Error(result.error);
      return result;
    });
}

/// What a model answers, in words.
function answerOf(model, result) {
  if (model.task === "multi-label") return result.labels.join(", ") || "none of its labels";
  if (model.task === "regression") return result.top.map(one => `${one.label} ${Number(one.score.toPrecision(5))}`).join(", ");
  return result.label;
}

/// Whether the picture was taken in one of the named places, in a box of its own.
function showPlace(box, place) {
  if (!place || !box.hidden) return;  // the first model's answer tells it
  box.hidden = false;
  box.querySelector(".question").textContent = state.places + "?";
  box.querySelector(".inside").textContent = !place.located ? "Not known" : place.inside.length ? "Yes" : "No";
  box.querySelector(".names").textContent = !place.located ? "The picture does not say where it was taken."
    : place.inside.length ? place.inside.join(", ") : "Taken somewhere else.";
}

async function addVerdict(place, picture, model, file) {
  const part = byId("verdict").content.firstElementChild.cloneNode(true);
  part.querySelector("h3").textContent = state.models.length > 1 ? model.name : "";
  place.append(part);
  const label = part.querySelector(".label");
  label.textContent = "…";
  const plain = picture.src;
  try {
    const result = await ask("classify", model, file);
    showPlace(place.closest(".answer").querySelector(".place"), result.place);
    label.textContent = model.task === "regression" ? "" : answerOf(model, result);
    const doubt = part.querySelector(".doubt");
    doubt.textContent = doubtOf(result);
    doubt.hidden = !doubt.textContent;
    showScores(part.querySelector(".scores"), model.task, result.top);
    const why = part.querySelector(".why");
    let overlay = null;
    why.addEventListener("click", async () => {
      // The models of a picture share it: only one of them shows where it looked.
      const showsOwn = overlay && picture.src === overlay;
      for (const other of place.querySelectorAll(".why")) other.textContent = "Show where it looked";
      picture.src = plain;
      if (showsOwn) return;
      try {
        why.disabled = true;
        overlay = overlay || (await ask("explain", model, file, { index: result.top[0].index })).overlay;
        picture.src = overlay;
        why.textContent = "Show the picture";
      } catch (error) {
        say(error.message);
      } finally {
        why.disabled = false;
      }
    });
    return answerOf(model, result) + (doubtOf(result) ? ", " + doubtOf(result).toLowerCase() : "");
  } catch (error) {
    label.textContent = "No answer";
    part.querySelector(".doubt").textContent = error.message;
    part.querySelector(".doubt").hidden = false;
    part.querySelector(".why").remove();
    return null;
  }
}

async function answer(file, name) {
  const item = byId("answer").content.firstElementChild.cloneNode(true);
  const picture = item.querySelector("img");
  picture.src = URL.createObjectURL(file);
  picture.alt = name;
  item.querySelector("figcaption").textContent = name;
  byId("answers").prepend(item);
  const verdicts = item.querySelector(".verdicts");
  const results = await Promise.all(chosen().map(model => addVerdict(verdicts, picture, model, file)));
  say(`${name}: ${results.map(result => result || "no answer").join("; ")}`);
}

async function answerAll(files) {
  const pictures = [...files];
  if (!pictures.length) return;
  say(pictures.length === 1 ? "Asking…" : `Asking about ${pictures.length} pictures…`);
  // A few at a time, so that the first answers come soon and the server's queue stays short.
  const next = async () => {
    for (let file = pictures.shift(); file; file = pictures.shift()) await answer(file, file.name || "pasted picture");
  };
  await Promise.all([next(), next(), next(), next()]);
}

function listen() {
  const drop = byId("drop");
  for (const id of ["files", "camera"])
    byId(id).addEventListener("change", event => { answerAll(event.target.files); event.target.value = ""; });
  document.addEventListener("dragover", event => { event.preventDefault(); drop.classList.add("over"); });
  document.addEventListener("dragleave", event => { if (!event.relatedTarget) drop.classList.remove("over"); });
  document.addEventListener("drop", event => {
    event.preventDefault();
    drop.classList.remove("over");
    answerAll([...event.dataTransfer.files]);
  });
  document.addEventListener("paste", event => answerAll([...event.clipboardData.files]));
  askForToken(begin);
}

function showModels() {
  const place = byId("models");
  place.querySelectorAll("label").forEach(old => old.remove());
  place.hidden = state.models.length < 2;
  for (const model of state.models) {
    const label = document.createElement("label"), box = document.createElement("input");
    box.type = "checkbox";
    box.checked = true;
    box.id = "model-" + model.name;
    label.append(box, " " + model.name);
    place.append(label);
  }
  byId("title").textContent = state.models.map(model => model.name).join(" and ");
  document.title = byId("title").textContent + " – graft";
  const knows = ({ labels }) => labels.length === 0 ? "" : labels.length <= 12 ? `knows ${labels.join(", ")}` : `knows ${labels.length} classes`;
  byId("about").textContent = state.models.filter(knows).map(model => state.models.length > 1 ? `${model.name} ${knows(model)}.` : `It ${knows(model)}.`).join(" ");
}

async function showExamples() {
  const { examples } = await json("/v1/examples");
  const list = byId("examples").querySelector("ul");
  list.replaceChildren();
  byId("examples").hidden = examples.length === 0;
  // From all over the list, which may be sorted by class.
  const step = Math.max(1, examples.length / 24);
  for (let at = 0; at < examples.length; at += step) {
    const example = examples[Math.floor(at)];
    const reply = await call(example.url);
    if (!reply.ok) continue;
    const file = new File([await reply.blob()], example.name);
    const item = document.createElement("li"), button = document.createElement("button"), picture = document.createElement("img");
    picture.src = URL.createObjectURL(file);
    picture.alt = example.name;
    button.type = "button";
    button.append(picture);
    button.addEventListener("click", () => answerAll([file]));
    item.append(button);
    list.append(item);
  }
}

async function begin() {
  try {
    const told = await json("/v1/models");
    state.models = told.models;
    state.places = told.places || "";
    byId("teach").hidden = !told.teaches;
    showModels();
    say("");
    await showExamples();
  } catch (error) {
    say(error.message);
  }
}

listen();
begin();
