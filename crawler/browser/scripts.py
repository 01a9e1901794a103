"""The scripts that we run in a page: in a world of their own, which its own scripts cannot reach.

They take getters and methods from the prototypes, as a form field called `body` or `links` would
otherwise stand in their place (DOM clobbering).
"""

from __future__ import annotations

import json

_TOOLS = """
const get = (of, name) => Object.getOwnPropertyDescriptor(of, name).get;
const of_document = (name) => get(Document.prototype, name).call(document);
const text_of = (node) => get(Node.prototype, 'textContent').call(node) || '';
"""

_LOOK = (
    _TOOLS
    + """
const look = () => {
  const root = of_document('documentElement');
  const all = Document.prototype.getElementsByTagName.call(document, '*');
  const length = root ? text_of(root).length : 0;
  return length > most ? '' : [of_document('readyState'), length >> 6, all.length,
                               of_document('links').length].join();
};
"""
)

LOOK = "(most) => {" + _LOOK + "return look(); }"
"""Return what changes with the page; nothing where its text has over `most` characters."""

SETTLED = (
    """(quiet, limit, most) => new Promise((done) => {"""
    + _LOOK
    + """
const begun = performance.now();
let last = look(), since = begun;
const tick = () => {
  const now = performance.now(), seen = look();
  if (seen !== last) { last = seen; since = now; }
  if (!seen || now - since >= quiet) done(true);
  else if (now - begun >= limit) done(false);
  else setTimeout(tick, 60);
};
setTimeout(tick, Math.min(60, quiet));
})"""
)
"""Wait until the page has not changed for `quiet` milliseconds: true; after `limit` ones: false.

One whose text has over `most` characters is not waited for."""

FRAME = (
    "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
)
"""Wait until the page was drawn."""

READ = (
    """(most, shadow) => {"""
    + _TOOLS
    + """
const root = of_document('documentElement');
const url = of_document('URL');
if (!root) return {url, html: ''};
const length = text_of(root).length;
if (length > most) return {url, large: length};
const outer = get(Element.prototype, 'outerHTML');
const children = (node) => Array.from(get(Node.prototype, 'childNodes').call(node));
const shadow_of = get(Element.prototype, 'shadowRoot');
const flatten = (from, to) => {
  const olds = children(from), news = children(to);
  olds.forEach((old, at) => { if (old.nodeType === 1 && news[at]) flatten(old, news[at]); });
  const inner = from.nodeType === 1 ? shadow_of.call(from) : null;
  if (!inner) return;
  const box = still.createElement('div');
  box.setAttribute('data-shadowroot', 'open');
  for (const node of children(inner)) box.append(still.importNode(node, true));
  flatten(inner, box);
  to.prepend(box);
};
const still = document.implementation.createHTMLDocument('');
let shown = root;
if (shadow) { shown = still.importNode(root, true); flatten(root, shown); }
const type = of_document('doctype');
let html = outer.call(shown);
if (type) html = new XMLSerializer().serializeToString(type) + '\\n' + html;
if (html.length > most) return {url, large: html.length};
return {url, html: html.isWellFormed() ? html : html.toWellFormed()};
}"""
)
"""Return the page as it stands: its URL, and its HTML or, past `most` characters, its length."""

STORED = """(() => {
  const names = Array.from({length: localStorage.length}, (_, at) => localStorage.key(at));
  return Object.fromEntries(names.map((name) => [name, localStorage.getItem(name)]));
})()"""
"""Return what documents of this origin have stored."""

STORE = "(all) => { for (const pair of Object.entries(all)) localStorage.setItem(...pair); }"
"""Store what another context had stored."""

NO_SERVICE_WORKERS = """
if (globalThis.ServiceWorkerContainer) ServiceWorkerContainer.prototype.register = async () => {};
"""
"""Let a page register service workers that never come."""

_AXE = """
(async (most, longest) => {
const told = await axe.run(document, {resultTypes: ['violations'], iframes: false});
const rows = [];
let number = 0;
for (const broken of told.violations) for (const node of broken.nodes) {
  number += 1;
  if (rows.length < most) rows.push({
    rule: broken.id, impact: node.impact || broken.impact || '', help: broken.help,
    help_url: broken.helpUrl, target: node.target.flat().join(' '),
    html: node.html.slice(0, longest).toWellFormed(),
  });
}
return {number, rows};
})"""


def axe(source: str, most: int, longest: int) -> str:
    """Return what loads axe-core and gives what it finds: its number, and the first `most` rows."""
    return f"{source}\n;{_AXE}({most}, {longest})"


def call(function: str, *arguments: object) -> str:
    """Return the expression that calls a function with values that JSON can write."""
    return f"({function})({', '.join(map(json.dumps, arguments))})"
