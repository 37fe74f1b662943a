"use strict";

// What the pages share: calls with the server's token, and how answers are shown.

const byId = id => document.getElementById(id);
const session = { token: sessionStorage.getItem("graft-token") || "" };

async function call(path, options = {}) {
  const headers = { ...(options.headers || {}) };
  if (session.token) headers.Authorization = "Bearer " + session.token;
  const reply = await fetch(path, { ...options, headers });
  if (reply.status === 401) {
    byId("sign-in").hidden = false;
    byId("token").focus();
    throw new Error("the server wants its token");
  }
  return reply;
}

async function json(path, options) {
  const body = await (await call(path, options)).json();
  if (body.error) throw new Error(body.error.text || body.error);
  return body;
}

/// A picture's file as the body of a call.
const sent = file => ({ method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" } });

const say = text => { byId("status").textContent = text; };
const percent = value => (100 * value).toFixed(1) + " %";

function showScores(list, task, top) {
  for (const one of top) {
    const item = document.createElement("li"), name = document.createElement("span"), value = document.createElement("span");
    name.textContent = one.label;
    item.append(name, value);
    if (task === "regression") {
      value.textContent = Number(one.score.toPrecision(5));
    } else {
      value.textContent = percent(one.score);
      const bar = document.createElement("meter");
      bar.value = one.score;
      bar.setAttribute("aria-label", `${one.label}: ${percent(one.score)}`);
      item.append(bar);
    }
    list.append(item);
  }
}

function doubtOf(result) {
  if (result.foreign) return "Like nothing it was trained on.";
  if (result.unsure) return "Unsure.";
  return "";
}

/// Calls `begin` again once the token is given.
function askForToken(begin) {
  byId("sign-in").addEventListener("submit", event => {
    event.preventDefault();
    session.token = byId("token").value;
    sessionStorage.setItem("graft-token", session.token);
    byId("sign-in").hidden = true;
    begin();
  });
}
