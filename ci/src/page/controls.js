// Pointer, keys and buttons; starts everything.

// The operation that stays followed when the pointer leaves.
let pinned = null;

// Follows an operation in an order, or in the first that has a place for it;
// none, in the first of all.
function follow({ operation = null, order } = {}) {
  const shown = order ?? (operation ? orderOf(operation) : orders[0]) ?? null;
  if (operation === followed.operation && shown === followed.order) return;
  followed.operation = operation;
  followed.order = shown;
  tellFollowed();
  mark();
}

// What an element is about.
function meant(element) {
  const number = element.closest?.('[data-operation]')?.dataset.operation;
  const order = element.closest?.('[data-order]')?.dataset.order;
  return number === undefined ? null : { operation: all[number], order: orders[order] };
}

document.addEventListener('pointerover', event => {
  if (!dragged) follow(meant(event.target) ?? pinned ?? {});
});

document.addEventListener('click', event => {
  if (wasDragged || !event.target.closest('#lanes, tr[data-operation]')) return;
  pinned = meant(event.target);
  follow(pinned ?? {});
  if (pinned && event.target.closest('tr')) reveal(pinned.operation);
});

// Not on the picture itself: one that listens to it takes the focus too.
document.addEventListener('focusin', event => {
  if (lanesSvg.contains(event.target)) follow(meant(event.target) ?? {});
});

// Keys: to the next operation in time, or to the next in the lane's
// neighbours; zoom; let go.
function neighbour(operation, key) {
  const beside = { ArrowLeft: -1, ArrowRight: 1 }[key];
  const { operations, lanes } = drawing;
  if (beside) return operations[operations.indexOf(operation) + beside];
  const lane = lanes.findIndex(({ process }) => process === operation.process);
  const step = key === 'ArrowDown' ? 1 : -1;
  for (let place = lane + step; lanes[place]; place += step) {
    const seen = lanes[place].operations.filter(other => drawnBars.has(other.number));
    const distance = other => Math.abs(other.from - operation.from);
    if (seen.length > 0) return seen.reduce((one, other) => (distance(other) < distance(one) ? other : one));
  }
  return undefined;
}

function focusOn(operation) {
  follow({ operation });
  reveal(operation);
  redraw();
  // It has an element once it is drawn.
  afterDrawing(() => {
    drawnBars.get(operation.number)?.focus({ preventScroll: true });
  });
}

document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('input')) return;
  const { key } = event;
  const operation = meant(event.target)?.operation;
  if (operation && key.startsWith('Arrow')) {
    const next = neighbour(operation, key);
    if (next) focusOn(next);
    event.preventDefault();
  } else if (key === 'Enter' && operation) pinned = { operation };
  else if (key === 'Escape') {
    pinned = null;
    follow();
  } else if (key === '+' || key === '=') zoom(0.7);
  else if (key === '-') zoom(1 / 0.7);
  else if (key === '0') showWindow();
  else if (key === '9') showAll();
});

// Dragging pans; a click is a drag of no length.
let dragged = null;
let wasDragged = false;

scroller.addEventListener('pointerdown', event => {
  if (event.button !== 0) return;
  dragged = { x: event.clientX, y: event.clientY, from: view.from, until: view.until, top: scroller.scrollTop };
  wasDragged = false;
});

window.addEventListener('pointermove', event => {
  if (!dragged) return;
  const [right, down] = [event.clientX - dragged.x, event.clientY - dragged.y];
  if (!wasDragged && Math.hypot(right, down) < 4) return;
  wasDragged = true;
  scroller.classList.add('dragged');
  scroller.scrollTop = dragged.top - down;
  show(dragged.from - right / scale(), dragged.until - right / scale());
});

for (const name of ['pointerup', 'pointercancel']) {
  window.addEventListener(name, () => {
    dragged = null;
    scroller.classList.remove('dragged');
  });
}

// The wheel scrolls the lanes; with Ctrl, as with two fingers, it zooms; from
// side to side it pans.
scroller.addEventListener('wheel', event => {
  const sideways = event.shiftKey ? event.deltaY || event.deltaX : event.deltaX;
  if (event.ctrlKey || event.metaKey) {
    const pixel = event.clientX - scroller.getBoundingClientRect().left;
    zoom(Math.exp(event.deltaY * 0.003), positionAt(pixel));
  } else if (Math.abs(sideways) > (event.shiftKey ? 0 : Math.abs(event.deltaY))) pan(sideways / scale());
  else return;
  event.preventDefault();
}, { passive: false });

const onClick = (id, action) => byId(id).addEventListener('click', action);

onClick('zoom-in', () => zoom(0.7));
onClick('zoom-out', () => zoom(1 / 0.7));
onClick('to-window', showWindow);
onClick('to-all', showAll);

// Keeps what is in the middle there when the measure changes.
function measure(byTime) {
  const ranks = [];
  for (let rank = 0; rank < drawing.end; rank += 1) {
    if (position(rank) >= view.from && position(rank) <= view.until) ranks.push(rank);
  }
  view.byTime = byTime;
  byId('by-event').setAttribute('aria-pressed', !byTime);
  byId('by-time').setAttribute('aria-pressed', byTime);
  if (ranks.length > 0) show(position(ranks[0]) - 1, position(ranks.at(-1)) + 1);
  else redraw();
}

onClick('by-event', () => measure(false));
onClick('by-time', () => measure(true));

dimBox.addEventListener('change', redraw);
staleBox.addEventListener('change', redraw);
byId('silent').addEventListener('change', event => {
  arrange(event.target.checked);
  showWindow();
});
new ResizeObserver(redraw).observe(scroller);
window.addEventListener('resize', redraw);

// The system's colours, unless the page's address or the button says others.
function setTheme(theme) {
  document.documentElement.style.colorScheme = theme;
  byId('theme').textContent = theme === 'dark' ? 'light' : 'dark';
}

const themeOf = hash => ['light', 'dark'].find(theme => hash === `#${theme}`);

const systemTheme = () => (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');

const applyTheme = () => setTheme(themeOf(location.hash) ?? systemTheme());

onClick('theme', () => {
  location.hash = byId('theme').textContent;
});
window.addEventListener('hashchange', applyTheme);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', applyTheme);

applyTheme();
byId('by-time').parentElement.hidden = !hasTimes;
measure(false);
tellAround();
tellFollowed();
view.width = Math.max(scroller.clientWidth, 320);
showWindow();
