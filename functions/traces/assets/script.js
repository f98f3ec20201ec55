// What a page does beyond showing: every page works without it.
'use strict';

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Times in the reader's zone; UTC stays in the title.
const times = {
  full: new Intl.DateTimeFormat(undefined, {weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hourCycle: 'h23'}),
  second: new Intl.DateTimeFormat(undefined, {day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23'}),
  minute: new Intl.DateTimeFormat(undefined, {weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23'}),
  axis: new Intl.DateTimeFormat(undefined, {hour: '2-digit', minute: '2-digit', hourCycle: 'h23'}),
};
for (const t of all('time[datetime]')) {
  t.title = t.textContent;
  t.textContent = times[t.dataset.to || 'full'].format(new Date(t.dateTime));
}
for (const t of all('text[data-time]')) t.textContent = times.axis.format(new Date(t.dataset.time));

// Tables sort by a click on a heading.
const keyOf = (row, at, numeric) => {
  const cell = row.cells[at];
  const time = cell.querySelector('time');
  const text = time ? time.dateTime : cell.textContent.trim();
  if (!numeric) return text.toLowerCase();
  const n = parseFloat(text.replace(/[,<]/g, ''));
  return Number.isNaN(n) ? -1 : n;
};
for (const table of all('table.sortable')) {
  for (const th of all('th[data-sort]', table)) {
    const button = document.createElement('button');
    button.type = 'button';
    button.append(...th.childNodes);
    th.append(button);
    button.addEventListener('click', () => {
      const numeric = th.dataset.sort === 'num';
      const down = th.hasAttribute('aria-sort') ? th.getAttribute('aria-sort') !== 'descending' : numeric;
      for (const other of all('th[aria-sort]', table)) other.removeAttribute('aria-sort');
      th.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      const body = table.tBodies[0], at = th.cellIndex, sign = down ? -1 : 1;
      const rows = [...body.rows].map(row => [keyOf(row, at, numeric), row]);
      rows.sort((a, b) => sign * (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
      body.append(...rows.map(r => r[1]));
    });
  }
}

// Rows are filtered by what is typed, and functions by whose code they are.
for (const input of all('input.filter')) {
  const table = (input.closest('section') || document).querySelector('table.sortable');
  if (!table) continue;
  const label = input.parentElement.querySelector('label.own');
  const box = label && label.querySelector('input');
  const known = all('tr[data-origin="own"]', table).length > 0;
  input.hidden = false;
  if (label) label.hidden = !known;
  const filter = () => {
    const text = input.value.toLowerCase();
    for (const row of table.tBodies[0].rows) {
      row.hidden = !row.textContent.toLowerCase().includes(text) || !!(box && box.checked && row.dataset.origin !== 'own');
    }
  };
  input.addEventListener('input', filter);
  if (box) box.addEventListener('change', filter);
}

for (const button of all('button.copy')) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  button.addEventListener('click', async () => {
    const from = button.dataset.from;
    await navigator.clipboard.writeText(from ? document.getElementById(from).textContent : button.dataset.copy);
    button.textContent = 'copied';
  });
}

// What scrolls is reached by the keyboard.
const reach = () => {
  for (const box of all('.wide, pre')) {
    if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0;
    else box.removeAttribute('tabindex');
  }
};
addEventListener('resize', reach);
document.addEventListener('toggle', reach, true);
reach();

// A link to a statement opens it.
const openTarget = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target && target.tagName === 'DETAILS') target.open = true;
};
addEventListener('hashchange', openTarget);
openTarget();

// As shortName in draw.go: a function without its namespace, or its file's folder.
const shortOf = name => {
  const tail = text => text.slice(Math.max(text.lastIndexOf('\\'), text.lastIndexOf('/')) + 1);
  const at = name.indexOf('::');
  const first = tail(at < 0 ? name : name.slice(0, at));
  return (name[0] === '{' && first[0] !== '{' ? '{' : '') + first + (at < 0 ? '' : '::' + tail(name.slice(at + 2)));
};

// The flame graph: a click makes a box as wide as the graph, arrows go from box to box, a search marks boxes.
for (const graph of all('svg.flame')) {
  const tools = graph.previousElementSibling;
  const find = tools.querySelector('.find'), back = tools.querySelector('.unzoom'), status = tools.querySelector('.status');
  const boxes = all('.box', graph).map(el => ({el, x: parseFloat(el.getAttribute('x')), w: parseFloat(el.getAttribute('width')), y: +el.getAttribute('y'), name: el.querySelector('title').textContent.replace(/: [^:]* ms, .*$/s, '')}));
  for (const b of boxes) b.short = shortOf(b.name);
  const of = new Map(boxes.map(b => [b.el, b]));
  let current = boxes[0];
  let zoomed;
  const zoom = to => {
    zoomed = to;
    const from = to ? to.x : 0, width = to ? to.w : 100;
    for (const b of boxes) {
      const left = Math.max(b.x, from), right = Math.min(b.x + b.w, from + width);
      const seen = right - left > 1e-6;
      b.el.setAttribute('visibility', seen ? 'visible' : 'hidden');
      b.el.setAttribute('x', (seen ? (left - from) / width * 100 : 0) + '%');
      b.el.setAttribute('width', (seen ? (right - left) / width * 100 : 0) + '%');
      let text = b.el.querySelector('text');
      if (!text) {
        text = document.createElementNS('http://www.w3.org/2000/svg', 'text');
        text.setAttribute('x', 4);
        text.setAttribute('y', 12.5);
        b.el.append(text);
      }
      const letters = Math.floor(((right - left) / width * graph.clientWidth - 6) / 6);
      text.textContent = letters < 3 ? '' : b.name.length <= letters ? b.name : b.short.length <= letters ? b.short : b.short.slice(0, letters - 1) + '…';
    }
    back.hidden = !to;
    status.textContent = to ? to.el.querySelector('title').textContent : '';
  };
  const focus = b => {
    if (!b) return;
    if (current) current.el.setAttribute('tabindex', -1);
    current = b;
    b.el.setAttribute('tabindex', 0);
    b.el.focus();
  };
  if (current) current.el.setAttribute('tabindex', 0);
  graph.addEventListener('click', e => zoom(of.get(e.target.closest('.box'))));
  back.addEventListener('click', () => zoom());
  graph.addEventListener('keydown', e => {
    const b = of.get(e.target.closest('.box'));
    if (!b) return;
    const row = y => boxes.filter(o => o.y === y && o.el.getAttribute('visibility') !== 'hidden');
    const within = (o, p) => o.x >= p.x - 1e-6 && o.x + o.w <= p.x + p.w + 1e-6;
    if (e.key === 'Enter' || e.key === ' ') zoom(b);
    else if (e.key === 'Escape') zoom();
    else if (e.key === 'ArrowDown') focus(row(b.y + 18).filter(o => within(o, b))[0]);
    else if (e.key === 'ArrowUp') focus(row(b.y - 18).filter(o => within(b, o))[0]);
    else if (e.key === 'ArrowRight') focus(row(b.y).filter(o => o.x > b.x).sort((p, q) => p.x - q.x)[0]);
    else if (e.key === 'ArrowLeft') focus(row(b.y).filter(o => o.x < b.x).sort((p, q) => q.x - p.x)[0]);
    else return;
    e.preventDefault();
  });
  addEventListener('resize', () => zoom(zoomed));
  zoom();
  find.hidden = false;
  find.addEventListener('input', () => {
    const text = find.value.toLowerCase();
    let hits = 0;
    for (const b of boxes) {
      const hit = text !== '' && b.name.toLowerCase().includes(text);
      b.el.classList.toggle('hit', hit);
      b.el.classList.toggle('dim', text !== '' && !hit);
      hits += hit;
    }
    status.textContent = text ? hits + ' of ' + boxes.length + ' boxes' : '';
  });
}
