const ROW = 26; // pixels; .event in page.css
const OVERSCAN = 8; // rows that are drawn above and below what is visible
const TIMELINES_PER_PART = 100; // as in page.py
const FOLLOW_MS = 1500;
const [AT, KEY, OUTCOME, CATEGORY, INVOCATIONS, DURATION, CORRELATION_ID, IDS] = [0, 1, 2, 3, 4, 5, 6, 7];
const CLASSES = {marked: "ok", duplicate: "info", discarded: "info", retry: "warning", dead_lettered: "error", undelivered: "error"};

const find = (id) => document.getElementById(id);
const grid = find("grid"), scroller = find("scroller"), rows = find("rows"), search = find("search");
const timeline = find("timeline"), body = document.body;
const live = body.dataset.live === "true";
const chosen = {outcome: new Set(), category: new Set()};
const parts = new Map();
let events = [], shown = [], current = "", order = AT, descending = false, version = "";

async function unpack(id) {
  const bytes = Uint8Array.from(atob(find(id).textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

async function timelineOf(index) {
  if (live) {
    const answer = await fetch(`timeline?id=${encodeURIComponent(events[index][CORRELATION_ID])}`);
    return answer.ok ? answer.text() : "";
  }
  const part = Math.floor(index / TIMELINES_PER_PART);
  if (!parts.has(part)) parts.set(part, await unpack(`timelines-${part}`));
  return parts.get(part)[index % TIMELINES_PER_PART];
}

function duration(ms) {
  if (ms >= 60000) return `${Math.floor(ms / 60000)} min ${Math.round((ms % 60000) / 1000)} s`;
  if (ms >= 10000) return `${(ms / 1000).toFixed(1)} s`;
  return ms >= 100 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(1)} ms`;
}

function time(ms) {
  return ms ? new Date(ms).toISOString().slice(11, 23) : "–";
}

function matches(event, words) {
  if (chosen.outcome.size && !chosen.outcome.has(event[OUTCOME])) return false;
  if (chosen.category.size && !chosen.category.has(event[CATEGORY])) return false;
  const text = `${event[KEY]} ${event[CORRELATION_ID]} ${event[IDS]}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function filter() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  shown = events.map((_, index) => index).filter((index) => matches(events[index], words));
  const sign = descending ? -1 : 1;
  shown.sort((one, other) => {
    const [a, b] = [events[one][order], events[other][order]];
    return sign * (a < b ? -1 : a > b ? 1 : one - other);
  });
  find("count").textContent = `${shown.length.toLocaleString("en")} of ${events.length.toLocaleString("en")} events`;
  grid.setAttribute("aria-rowcount", shown.length + 1);
  scroller.style.height = `${shown.length * ROW}px`;
  draw();
}

function cell(text, className) {
  const element = document.createElement("span");
  element.setAttribute("role", "gridcell");
  element.textContent = text;
  if (className) element.className = className;
  return element;
}

function draw() {
  const top = find("viewport").scrollTop;
  const first = Math.max(0, Math.floor(top / ROW) - OVERSCAN);
  const last = Math.min(shown.length, Math.ceil((top + find("viewport").clientHeight) / ROW) + OVERSCAN);
  const drawn = [];
  for (let position = first; position < last; position++) {
    const event = events[shown[position]];
    const row = document.createElement("div");
    const isCurrent = event[CORRELATION_ID] === current;
    row.className = "event";
    row.id = `event-${position}`;
    row.setAttribute("role", "row");
    row.setAttribute("aria-rowindex", position + 2);
    row.setAttribute("aria-selected", isCurrent);
    row.style.top = `${position * ROW}px`;
    row.dataset.position = position;
    const outcome = cell("", "outcome");
    const badge = document.createElement("span");
    badge.className = `badge ${CLASSES[event[OUTCOME]] ?? "dim"}`;
    badge.textContent = event[OUTCOME];
    outcome.append(badge);
    row.append(cell(time(event[AT]), "time"), cell(event[KEY] || "no valid row", event[KEY] ? "key" : "key dim"), outcome);
    row.append(cell(event[CATEGORY], "category"), cell(event[INVOCATIONS], "number"), cell(duration(event[DURATION]), "number"));
    if (isCurrent) grid.setAttribute("aria-activedescendant", row.id);
    drawn.push(row);
  }
  rows.replaceChildren(...drawn);
}

function positionOfCurrent() {
  return shown.findIndex((index) => events[index][CORRELATION_ID] === current);
}

function reveal(position) {
  const view = find("viewport");
  if (position * ROW < view.scrollTop) view.scrollTop = position * ROW;
  const below = (position + 1) * ROW - view.clientHeight;
  if (below > view.scrollTop) view.scrollTop = below;
}

async function show(correlationId, {again = false} = {}) {
  if (correlationId === current && !again) return;
  const index = events.findIndex((event) => event[CORRELATION_ID] === correlationId);
  current = index < 0 ? "" : correlationId;
  body.classList.toggle("has-timeline", index >= 0);
  if (index < 0) {
    timeline.replaceChildren();
    if (correlationId) timeline.textContent = `no event of this run has the correlation ID ${correlationId}`;
    draw();
    return;
  }
  reveal(positionOfCurrent());
  draw();
  const html = await timelineOf(index);
  if (current !== correlationId) return; // another event was chosen meanwhile
  timeline.innerHTML = html; // every value in it was escaped when the page was made
  addCopyButtons(timeline);
  if (!again) timeline.scrollTop = 0;
}

function choose(position) {
  if (position < 0 || position >= shown.length) return;
  const correlationId = events[shown[position]][CORRELATION_ID];
  history.replaceState(null, "", `#${encodeURIComponent(correlationId)}`);
  show(correlationId);
}

function chip(group, name, count, className) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = `chip ${className}`;
  button.setAttribute("aria-pressed", chosen[group].has(name));
  button.textContent = `${name} ${count.toLocaleString("en")}`;
  button.addEventListener("click", () => {
    chosen[group].has(name) ? chosen[group].delete(name) : chosen[group].add(name);
    button.setAttribute("aria-pressed", chosen[group].has(name));
    filter();
  });
  return button;
}

function drawChips() {
  for (const [group, column] of [["outcome", OUTCOME], ["category", CATEGORY]]) {
    const counts = new Map();
    for (const event of events) if (event[column]) counts.set(event[column], (counts.get(event[column]) ?? 0) + 1);
    for (const name of chosen[group]) if (!counts.has(name)) counts.set(name, 0);
    const sorted = [...counts].sort((one, other) => other[1] - one[1] || (one[0] < other[0] ? -1 : 1));
    const colour = (name) => (group === "outcome" ? CLASSES[name] ?? "dim" : "dim");
    find(`${group}-chips`).replaceChildren(...sorted.map(([name, count]) => chip(group, name, count, colour(name))));
  }
}

function take(list) {
  events = list;
  drawChips();
  filter();
}

async function follow() {
  try {
    const answer = await fetch(`events?version=${encodeURIComponent(version)}`);
    if (answer.status === 200) {
      const news = await answer.json();
      version = news.version;
      find("run").innerHTML = news.run; // escaped by the server
      take(news.events);
      if (current && news.changed.includes(current)) show(current, {again: true});
    }
    body.classList.remove("lost");
  } catch {
    body.classList.add("lost"); // the run has ended: what is shown is its last state
  }
  setTimeout(follow, FOLLOW_MS);
}

const KEYS = {
  ArrowDown: (position) => position + 1,
  ArrowUp: (position) => Math.max(position - 1, 0),
  PageDown: (position) => Math.min(position + 15, shown.length - 1),
  PageUp: (position) => Math.max(position - 15, 0),
  Home: () => 0,
  End: () => shown.length - 1,
};

grid.addEventListener("keydown", (event) => {
  const to = KEYS[event.key];
  if (!to || event.target.closest("button")) return;
  event.preventDefault();
  choose(to(positionOfCurrent()));
});
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input");
  if (event.key === "/" && !typing) {
    event.preventDefault();
    search.focus();
  } else if (event.key === "Escape" && typing) {
    grid.focus();
  } else if (event.key === "Escape") {
    back();
  }
});
grid.addEventListener("click", (event) => {
  const row = event.target.closest(".event");
  if (row) choose(Number(row.dataset.position));
});
for (const button of document.querySelectorAll("[data-order]")) {
  button.addEventListener("click", () => {
    const column = Number(button.dataset.order);
    descending = order === column ? !descending : false;
    order = column;
    for (const other of document.querySelectorAll("[data-order]")) {
      const direction = descending ? "descending" : "ascending";
      other.parentElement.setAttribute("aria-sort", other === button ? direction : "none");
    }
    filter();
  });
}

function back() {
  history.replaceState(null, "", "#");
  show("");
  grid.focus();
}

find("back").addEventListener("click", back);
find("viewport").addEventListener("scroll", draw, {passive: true});
search.addEventListener("input", filter);
addEventListener("resize", draw);
addEventListener("hashchange", () => show(decodeURIComponent(location.hash.slice(1))));

(async () => {
  take(await unpack("events"));
  const wanted = decodeURIComponent(location.hash.slice(1));
  if (wanted) await show(wanted);
  body.dataset.ready = "true";
  if (live) follow();
})();
