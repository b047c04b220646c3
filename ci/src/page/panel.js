// What is said in words: beside the lanes about the operation that is
// followed, below them the orders and what to type.

const byId = id => document.getElementById(id);

const ENDINGS = {
  ok: 'ok: it took effect',
  fail: 'fail: it had no effect',
  info: 'info: it may have taken effect, or may still',
  open: 'open: not over where the prefix ends',
};

function row(list, name, value, kind) {
  if (value === undefined || value === null) return;
  list.append(html('dt', {}, name), html('dd', { class: kind }, String(value)));
}

// An event with the time that it has, if times mean anything here.
const showEvent = (index, ns) => `event ${index}${hasTimes ? `, ${showTime(ns, 6)}` : ''}`;

// Where none is followed, the refuted one.
function tellOperation() {
  const operation = followed.operation ?? all[page.refuted];
  const section = byId('details');
  const hint = html('p', { class: 'muted' }, 'Point at an operation, or walk with Tab and the arrow keys. A click keeps it; Esc lets go.');
  if (!operation) {
    section.replaceChildren(html('h2', {}, 'Operation'), hint);
    return;
  }
  const list = html('dl');
  row(list, 'process', operation.process);
  row(list, 'f', operation.f);
  row(list, 'value', operation.value, 'value');
  row(list, operation.ending === 'ok' ? 'seen' : 'seen later', operation.seen, 'value');
  row(list, 'ending', ENDINGS[operation.ending]);
  row(list, 'node', operation.node);
  row(list, 'answered by', operation.answered_by);
  row(list, 'invoked', showEvent(operation.invoked, operation.invoked_ns));
  if (operation.completed !== undefined) {
    const later = operation.later ? `${operation.later} at ` : '';
    row(list, operation.later ? 'later' : 'completed', later + showEvent(operation.completed, operation.completed_ns));
    if (hasTimes) row(list, 'took', showDuration(operation.completed_ns - operation.invoked_ns));
  }
  row(list, 'error', operation.error, 'error');
  if (operation.number === page.failed_writer) row(list, 'note', 'it alone wrote what was seen, and it failed');
  const isRefuted = operation.number === page.refuted;
  section.replaceChildren(html('h2', isRefuted ? { class: 'error' } : {}, operation.label), list);
  if (!followed.operation) section.append(hint);
}

// Which order is shown, and why.
function tellContaining() {
  const { operation, order } = followed;
  const section = byId('containing');
  if (!order) {
    section.replaceChildren(html('p', { class: 'muted' }, whyNone(operation)));
    return;
  }
  const title = orders.length > 1 ? `Order ${order.number + 1} of ${orders.length}` : 'The furthest order';
  section.replaceChildren(html('h2', {}, title), html('p', { class: 'muted' }, whyShown(operation, order)), stepList(order));
  const current = section.querySelector('[aria-current]');
  if (current) keepInView(section, current);
}

function whyNone(operation) {
  if (!operation || orders.length === 0) return 'No order is known.';
  if (operation.ending === 'fail') return 'It had no effect, and stands in no order.';
  if (isDefinite(operation)) return 'None of the orders that come furthest has a place for it.';
  return 'The orders that come furthest do without it: it need not have taken effect.';
}

function whyShown(operation, order) {
  const step = operation && order.stepOf.get(operation.number);
  if (step) return `It stands at place ${step.place}.`;
  if (operation && order.missing.includes(operation.number)) return 'It has no place for this operation.';
  if (operation && isSkipped(order, operation)) {
    return `It stands among the ${order.skipped} before place ${order.skipped + 1}.`;
  }
  if (operation) return 'It does without this operation.';
  return 'As many operations as fit an order, and what is held after each.';
}

// Scrolls a list alone, and not the page with it.
function keepInView(list, item) {
  const [outer, inner] = [list.getBoundingClientRect(), item.getBoundingClientRect()];
  if (inner.top < outer.top) list.scrollTop -= outer.top - inner.top + 20;
  if (inner.bottom > outer.bottom) list.scrollTop += inner.bottom - outer.bottom + 20;
}

// The steps of an order, one a line.
function stepList(order) {
  const body = html('tbody');
  const line = (kind, ...cells) => {
    const line = html('tr', { class: kind }, ...cells.map(cell => html('td', {}, cell)));
    body.append(line);
    return line;
  };
  const before = order.skipped > 0 ? `after ${order.skipped} more in order` : 'at first';
  line('muted', '', '', before, order.before);
  for (const step of order.steps) {
    const operation = all[step.operation];
    const drawn = line(undefined, step.place, operation.process, operation.label, step.state);
    if (step.whole) drawn.lastChild.title = step.whole;
    follows(drawn, operation);
  }
  for (const number of order.missing) {
    const operation = all[number];
    follows(line('refuted', '✕', operation.process, operation.label, 'no place'), operation);
  }
  const head = html('tr', {}, ...['place', 'process', 'operation', 'holds'].map(name => html('th', { scope: 'col' }, name)));
  return html('table', { class: 'steps', 'data-order': order.number }, html('thead', {}, head), body);
}

// A line that is about an operation leads to it.
function follows(line, operation) {
  line.dataset.operation = operation.number;
  if (operation === followed.operation) line.setAttribute('aria-current', 'true');
}

function tellOrders() {
  const section = byId('orders');
  if (orders.length === 0) return;
  const title = orders.length > 1 ? 'The orders that come furthest' : 'The order that comes furthest';
  section.replaceChildren(html('h2', {}, title), html('div', { class: 'tables' }, ...orders.map(order => {
    const left = order.states.length > 0 ? `It leaves ${order.states.join(' or ')}.` : '';
    const name = orders.length > 1 ? `Order ${order.number + 1}. ` : '';
    return html('div', {}, html('p', { class: 'muted' }, `${name}${left}`), stepList(order));
  })));
}

function tellStatus(seen, stale) {
  const shown = seen.reduce((sum, lane) => sum + lane.operations.length, 0);
  const { before, after } = page.left_out;
  const elsewhere = drawing.operations.length - shown - (staleBox.checked ? 0 : stale);
  const failed = all.length - drawing.operations.length;
  const parts = [`${count(shown, 'operation', 'operations')} drawn of ${count(all.length, 'operation', 'operations')} on this page`];
  if (failed > 0) parts.push(`${failed.toLocaleString('en')} without effect`);
  if (elsewhere > 0) parts.push(`${elsewhere.toLocaleString('en')} outside of what is seen`);
  if (stale > 0 && !staleBox.checked) parts.push(`${stale.toLocaleString('en')} of unknown outcome, begun before`);
  if (before > 0) parts.push(`${before.toLocaleString('en')} earlier on the key left out of the page`);
  if (after > 0) parts.push(`${after.toLocaleString('en')} begin after the prefix and are left out`);
  byId('status').textContent = `${parts.join('; ')}.`;
  byId('stale-label').hidden = stale === 0;
  byId('stale-label').lastElementChild.textContent = `show ${stale.toLocaleString('en')} still open from before`;
}

function tellLegend() {
  const entries = [
    ['ok', 'ok'], ['fail', 'fail'], ['info', 'info'], ['open', 'open'],
    ['refuted', 'no place'],
  ];
  const used = entries.filter(([kind]) =>
    kind === 'refuted' ? page.refuted !== null : all.some(operation => operation.ending === kind));
  byId('legend').replaceChildren(...used.map(([kind, label]) =>
    html('li', {}, html('span', { class: `swatch ${kind}` }), label)));
}

function tellAround() {
  const { last, completed, shortest } = page.prefix;
  byId('prefix').textContent = `The ${shortest ? 'shortest ' : ''}prefix without an order ends at event ${last}; `
    + `${count(completed, 'operation', 'operations')} on the key ${completed === 1 ? 'completes' : 'complete'} in it.`;
  const facts = byId('facts');
  facts.hidden = page.facts.length === 0;
  for (const { name, value } of page.facts) facts.append(html('div', {}, html('dt', {}, name), html('dd', {}, value)));
  const next = page.next.map(({ about, command }) =>
    html('li', {}, html('span', { class: 'muted' }, about), html('code', {}, command)));
  if (next.length > 0) byId('next').append(html('h2', {}, 'What to type next'), html('ul', {}, ...next));
  byId('dim-label').hidden = needed.size === 0;
  byId('silent-label').hidden = silent.length === 0;
  byId('silent-label').lastElementChild.textContent = `show ${silent.length.toLocaleString('en')} that failed`;
  tellLegend();
  tellOrders();
}

function tellFollowed() {
  tellOperation();
  tellContaining();
  for (const line of byId('orders').querySelectorAll('tr[data-operation]')) {
    const isIt = Number(line.dataset.operation) === followed.operation?.number
      && Number(line.closest('[data-order]').dataset.order) === followed.order?.number;
    if (isIt) line.setAttribute('aria-current', 'true');
    else line.removeAttribute('aria-current');
  }
}
