"use strict";

// Everything received is shown with textContent: a text message is never markup.

const SHOWN = 200;
const MOVES = ["queued", "sent", "delivered", "failed", "expired"];
const get = (id) => document.getElementById(id);

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

async function post(name, body) {
  const response = await fetch(`/control/${name}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  get("state").textContent = answer.error ? `Refused: ${answer.error}` : "";
  await refresh();
}

function fill(select, words) {
  if (select.dataset.filled) return;
  select.dataset.filled = "yes";
  for (const word of words) select.append(new Option(word, word));
}

function showAccounts({ accounts, words }) {
  const form = get("fault");
  fill(form.provider, accounts.map((account) => account.provider));
  fill(form.fault, words.faults);
  fill(form.operation, words.operations);
  fill(get("credit").provider, accounts.map((account) => account.provider));
  get("accounts").replaceChildren(...accounts.map((account) => {
    const card = make("div", "card");
    card.append(make("span", "quiet", account.provider));
    card.append(make("b", "", `${account.credit} €`));
    card.append(make("span", "quiet", `${account.price} € a part`));
    card.append(credentials(account));
    if (account.open !== null) card.append(port(account));
    for (const { fault, times, operation } of account.faults) {
      const when = `${fault} × ${times}, ${operation ?? "any request"}`;
      card.append(make("div", "status failed", when));
    }
    return card;
  }));
}

function credentials({ url, credentials }) {
  const list = make("dl");
  for (const [name, value] of Object.entries({ url, ...credentials })) {
    list.append(make("dt", "quiet", name), make("dd", "", value));
  }
  return list;
}

function port({ provider, open }) {
  const box = make("div", "moves");
  box.append(make("span", `status ${open ? "delivered" : "failed"}`, open ? "answers" : "out of reach"));
  const button = make("button", "", open ? "close the port" : "open the port");
  button.addEventListener("click", () => post("port", { provider, open: !open }));
  box.append(button);
  return box;
}

function bubble(message) {
  const box = make("div", "bubble");
  box.append(make("small", "", `${message.sender} · ${message.provider}`));
  box.append(make("p", "", message.text));
  if (message.extra.picture) {
    const picture = make("img");
    picture.src = `/control/pictures/${encodeURIComponent(message.extra.picture)}`;
    picture.alt = "The picture that came with it";
    box.append(picture);
  }
  const line = make("small");
  line.append(make("span", `status ${message.status}`, message.status));
  const time = new Date(message.created).toLocaleTimeString();
  line.append(` · ${time} · ${message.parts} part(s) · ${message.cost} €`);
  box.append(line);
  const moves = make("div", "moves");
  for (const status of MOVES.filter((word) => word !== message.status)) {
    const button = make("button", "", status);
    button.addEventListener("click", () => post("move", { id: message.id, status }));
    moves.append(button);
  }
  box.append(moves);
  return box;
}

function answer({ provider, to }) {
  const form = make("form", "answer");
  const text = make("input");
  text.placeholder = "Answer";
  text.setAttribute("aria-label", `Answer from ${to}`);
  const button = make("button", "", "answer");
  form.append(text, button);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    post("write", { provider, number: to, text: text.value });
    text.value = "";
  });
  return form;
}

function showPhones(messages) {
  get("no-phones").hidden = messages.length > 0;
  const places = new Map();
  for (const phone of document.querySelectorAll(".texts")) {
    places.set(phone.dataset.number, phone.scrollTop);
  }
  const phones = Map.groupBy(messages, (message) => message.to);
  get("phones").replaceChildren(...[...phones].map(([number, texts]) => {
    const phone = make("article", "phone");
    phone.append(make("h3", "", number));
    const list = make("div", "texts");
    list.dataset.number = number;
    list.append(...texts.map(bubble));
    phone.append(list, answer(texts[0]));
    return phone;
  }));
  for (const phone of document.querySelectorAll(".texts")) {
    phone.scrollTop = places.get(phone.dataset.number) ?? 0;
  }
}

function showRequests(requests) {
  get("requests").replaceChildren(...requests.map((request) => {
    const row = make("tr");
    row.append(make("td", "", new Date(request.received).toLocaleTimeString()));
    row.append(make("td", "", request.provider));
    const what = make("td");
    what.append(make("div", "", `${request.method} ${request.path}`));
    what.append(make("code", "", JSON.stringify(request.fields)));
    row.append(what);
    const answer = make("td");
    answer.append(make("div", "", request.status ?? "none"));
    answer.append(make("code", "", request.answer.slice(0, 300)));
    row.append(answer);
    row.append(make("td", "", request.fault ?? ""));
    return row;
  }));
}

let seen = "";

async function refresh() {
  const field = document.activeElement;
  // A text that is being typed would be lost.
  if (field?.value && field.closest(".answer")) return;
  const paths = ["accounts", `messages?limit=${SHOWN}`, "requests?limit=20"];
  try {
    const texts = await Promise.all(paths.map(async (path) => {
      const response = await fetch(`/control/${path}`);
      return response.text();
    }));
    const now = texts.join("\n");
    if (now === seen) return;
    seen = now;
    const [accounts, { messages }, { requests }] = texts.map((text) => JSON.parse(text));
    showAccounts(accounts);
    showPhones(messages);
    showRequests(requests);
  } catch {
    get("state").textContent = "The simulator does not answer.";
    seen = "";
  }
}

get("fault").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  post("fault", {
    provider: form.provider.value,
    fault: form.fault.value,
    operation: form.operation.value,
    times: form.times.valueAsNumber,
  });
});
get("credit").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = event.target;
  post("credit", { provider: form.provider.value, euro: form.euro.value });
});
get("clear_faults").addEventListener("click", () => post("clear_faults", {}));
get("reset").addEventListener("click", () => post("reset", {}));

refresh();
setInterval(refresh, 1500);
