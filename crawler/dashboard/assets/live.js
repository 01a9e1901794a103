// Crawlkeep, the live page. Every view works without this script; it adds what is live: fresh
// parts, a cross hair over the strips, keys, and the theme.

const root = document.documentElement;
root.dataset.theme = localStorage.getItem("theme") ?? root.dataset.theme ?? "";

addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("#theme").forEach(theme); // a page that tells of a mistake has none
  document.querySelectorAll(".strips").forEach(strips);
  document.querySelector("[aria-current=page]")?.scrollIntoView({ block: "nearest", inline: "center" });
  addEventListener("keydown", keys);
  if (document.body.dataset.events) live(document.body.dataset.events);
});

// ---------------------------------------------------------------- fresh parts

// The server sends each part of a view that changed, as it would stand in a fresh page. It is put
// in place of the old one, unless somebody is reading, typing or selecting there.
function live(url) {
  const contact = document.querySelector("#contact");
  let [source, last, wait] = [null, Date.now(), 1];
  const heard = () => {
    last = Date.now();
    wait = 1;
    contact.textContent = "live";
  };
  const open = () => {
    source = new EventSource(url);
    source.addEventListener("beat", heard);
    source.addEventListener("title", (event) => (document.title = event.data));
    source.addEventListener("part", (event) => {
      heard();
      renew(new DOMParser().parseFromString(event.data, "text/html").body.firstElementChild);
    });
    source.addEventListener("error", () => {
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      setTimeout(open, 1000 * wait * (0.75 + Math.random() / 2));
      wait = Math.min(30, 2 * wait);
    });
  };
  setInterval(() => {
    const silent = document.hidden ? 0 : Math.round((Date.now() - last) / 1000);
    if (silent > 5) contact.textContent = `no contact for ${silent} s`;
    for (const button of document.querySelectorAll(".steer button")) button.disabled = silent > 5;
  }, 1000);
  document.addEventListener("visibilitychange", () => (document.hidden ? source.close() : open()));
  addEventListener("pagehide", () => source.close());
  open();
}

function renew(fresh) {
  const old = document.getElementById(fresh.id);
  if (!old || held(old)) return;
  const known = new Set(Array.from(old.querySelectorAll("tr[id]"), (row) => row.id));
  old.replaceWith(fresh);
  for (const row of fresh.querySelectorAll("tr[id]")) row.classList.toggle("new", known.size > 0 && !known.has(row.id));
  fresh.querySelectorAll(".strips").forEach(strips);
}

function held(part) {
  const chosen = getSelection();
  return part.matches(":focus-within, :hover:has(tbody)") || (!chosen.isCollapsed && part.contains(chosen.anchorNode));
}

// ---------------------------------------------------------------- strips

// One cross hair over all strips; the figures beside them say what was then.
function strips(figure) {
  const charts = [...figure.querySelectorAll("svg[data-values]")];
  const values = charts.map((chart) => chart.dataset.values.split("\t"));
  const times = figure.dataset.times.split("\t");
  const figures = [...figure.querySelectorAll(".now"), figure.querySelector(".moment")];
  const present = figures.map((output) => output.textContent);
  let at = null;
  const show = (moment) => {
    at = moment;
    const past = at === null ? present : [...values.map((series) => series[at]), times[at]];
    figures.forEach((output, number) => (output.textContent = past[number]));
    for (const cross of figure.querySelectorAll(".cross")) {
      const x = `${(100 * (at + 0.5)) / times.length}%`;
      cross.setAttribute("visibility", at === null ? "hidden" : "visible");
      cross.setAttribute("x1", x);
      cross.setAttribute("x2", x);
    }
  };
  figure.addEventListener("pointermove", (event) => {
    const { left, width } = charts[0].getBoundingClientRect();
    const place = Math.floor(((event.clientX - left) / width) * times.length);
    show(place < 0 || place >= times.length ? null : place);
  });
  figure.addEventListener("pointerleave", () => show(null));
  figure.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") show(null);
    if (!step) return;
    event.preventDefault();
    show(Math.max(0, Math.min(times.length - 1, (at ?? times.length) + step)));
  });
}

// ---------------------------------------------------------------- keys

let going = false;

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) {
    if (event.key === "Enter" && event.target.matches("textarea")) event.target.form.requestSubmit();
    return;
  }
  if (event.target.matches("input, textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (going) {
    going = false;
    document.querySelector(`.views a[data-key="${CSS.escape(event.key)}"]`)?.click();
  } else if (event.key === "g") {
    going = true;
    setTimeout(() => (going = false), 1500);
  } else if (event.key === "/") {
    event.preventDefault();
    document.querySelector(".search input").focus();
  } else if (event.key === "j" || event.key === "k") {
    row(event.key === "j" ? 1 : -1);
  } else if (event.key === "?") {
    const list = document.querySelector("#keys");
    list.open = !list.open;
    list.querySelector("summary").focus();
  }
}

function row(step) {
  const links = [...document.querySelectorAll("tbody tr")].map((line) => line.querySelector("a")).filter(Boolean);
  const here = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
  links[here < 0 ? 0 : Math.max(0, Math.min(links.length - 1, here + step))]?.focus();
}

// ---------------------------------------------------------------- theme

function theme(button) {
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const name = () => (button.textContent = dark() ? "Light" : "Dark");
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    name();
  });
  name();
}
