// The harbour shop in a single page: history routing, goods as JSON, more of them while one scrolls.
'use strict';

const app = document.getElementById('app');

async function json(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function link(path, text, kind = '') {
  return element('a', {href: path, ...(kind && {class: kind})}, text);
}

function card(thing) {
  const path = `/app/product/${thing.slug}`;
  const picture = element('img', {
    'data-src': `/img/${thing.number}.svg`, alt: '', width: 240, height: 150,
  });
  lazily(picture);
  return element('article', {class: 'product'},
    element('a', {href: path}, picture),
    element('h3', {}, link(path, thing.name)),
    element('p', {class: 'price'}, thing.price),
    element('p', {class: 'stock'}, thing.stock));
}

// Pictures are asked for when they come into view, goods when the end of the list does.
const pictures = new IntersectionObserver((seen) => {
  for (const {isIntersecting, target} of seen) {
    if (!isIntersecting) continue;
    pictures.unobserve(target);
    target.src = target.dataset.src;
  }
});
const lazily = (picture) => pictures.observe(picture);

async function listing(title, category) {
  document.title = title;
  const grid = element('section', {class: 'grid'});
  const end = element('p', {class: 'end'}, 'More …');
  const shelves = element('p', {class: 'tags'});
  app.replaceChildren(element('h1', {}, title), shelves, grid, end);
  json('/app/api/categories').then((names) => {
    for (const name of names) {
      shelves.append(link(`/app/category/${name.toLowerCase()}`, name, 'category'), ' ');
    }
  });
  const query = category ? `category=${category}&` : '';
  let next = 1, busy = false;
  const more = async () => {
    if (busy || next === null) return;
    busy = true;
    const page = await json(`/app/api/products?${query}page=${next}`);
    grid.append(...page.items.map(card));
    next = page.next;
    busy = false;
    if (next === null) end.remove();
  };
  await more();
  new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && more()).observe(end);
}

async function product(slug) {
  const thing = await json(`/app/api/products/${slug}`);
  document.title = thing.name;
  app.replaceChildren(
    element('h1', {}, thing.name),
    element('div', {class: 'product-page'},
      element('p', {class: 'price'}, thing.price),
      element('p', {class: 'stock'}, thing.stock),
      element('p', {}, 'Category: ',
        link(`/app/category/${thing.category.toLowerCase()}`, thing.category, 'category')),
      element('p', {class: 'description'}, thing.praise)),
    element('p', {}, link('/app/', 'All goods')));
}

function draw() {
  const [kind, name] = location.pathname.split('/').slice(2);
  const drawn = kind === 'product' ? product(name)
    : kind === 'category' ? listing(name[0].toUpperCase() + name.slice(1), name)
    : listing('The harbour shop');
  drawn.catch((error) => {
    console.error(error);
    app.replaceChildren(element('p', {class: 'error'}, 'There is nothing here.'));
  });
}

document.addEventListener('click', (event) => {
  const clicked = event.target.closest('a');
  if (!clicked || clicked.origin !== location.origin) return;
  event.preventDefault();
  history.pushState(null, '', clicked.href);
  draw();
});
addEventListener('popstate', draw);
draw();
