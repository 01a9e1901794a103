// The other pages that are nothing without a script: each names its part in <body data-page>.
'use strict';

const main = document.querySelector('main');

function add(name, text, attributes = {}) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(text);
  main.append(made);
  return made;
}

const parts = {
  // A login whose form is sent by script; what it opens is drawn from JSON.
  login() {
    document.querySelector('form').addEventListener('submit', async (event) => {
      event.preventDefault();
      const fields = Object.fromEntries(new FormData(event.target));
      const answer = await fetch('/scripted/api/login', {
        method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(fields),
      });
      if (answer.ok) location.assign('/scripted/members');
      else add('p', 'This user and password do not belong together.', {class: 'error'});
    });
  },
  async members() {
    const answer = await fetch('/scripted/api/letters');
    if (!answer.ok) return add('p', 'Please log in.', {class: 'error'});
    for (const letter of await answer.json()) add('p', letter, {class: 'letter'});
  },
  // A custom element with its content in an open shadow root.
  shadow() {
    customElements.define('harbour-note', class extends HTMLElement {
      constructor() {
        super();
        const root = this.attachShadow({mode: 'open'});
        root.innerHTML = '<p class="note">Kept in the shadow, <a href="/about/">linked</a>.</p>';
      }
    });
    main.append(document.createElement('harbour-note'));
  },
  frames() {
    add('iframe', '', {src: '/scripted/frame'});
  },
  // Numbers that come over a WebSocket.
  ticker() {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}/ws/ticker?until=20`);
    socket.onmessage = (event) => add('p', JSON.parse(event.data).text, {class: 'tick'});
    socket.onclose = () => add('p', 'That was all.', {class: 'closed'});
  },
  // A button that loads more, until there is no more.
  more() {
    const button = document.querySelector('button.more');
    let next = 1;
    const load = async () => {
      const page = await (await fetch(`/app/api/products?page=${next}&category=toys`)).json();
      for (const thing of page.items.slice(0, 10)) {
        const made = add('p', thing.name, {class: 'thing'});
        button.before(made);
      }
      next += 1;
      if (document.querySelectorAll('.thing').length >= 30) button.remove();
    };
    button.addEventListener('click', () => { next = 1; load(); });
    load();
  },
  // A banner that hides the page until it is answered.
  consent() {
    document.querySelector('#agree').addEventListener('click', () => {
      document.cookie = 'consent=yes; path=/';
      document.querySelector('#banner').remove();
      add('p', 'Now you can read this.', {class: 'readable'});
    });
  },
  slow() {
    setTimeout(() => add('p', 'I am late.', {class: 'late'}), 1500);
  },
};

parts[document.body.dataset.page]?.();
