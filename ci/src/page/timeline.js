// The lanes: a bar for each operation, the faults behind them, and the order
// that is followed as a line from place to place.

const LANE = 34;
const BAR_TOP = 17;
const BAR = 13;
const RULER = 36;
const ROW = 17;

// From back to front: the line of an order runs below the labels, its numbers
// stand on the bars.
const layers = {
  behind: svg('g'),
  line: svg('g', { class: 'order' }),
  bars: svg('g'),
  places: svg('g', { class: 'order', 'aria-hidden': 'true' }),
};
lanesSvg.append(...Object.values(layers));

const scroller = document.getElementById('scroll');
const staleBox = document.getElementById('stale');
const dimBox = document.getElementById('dim');

// What is followed: an operation, if one is, and the order shown for it.
const followed = { operation: null, order: orders[0] ?? null };

// A text that fits into so many pixels, if any beginning of it does.
function fitting(text, room, font) {
  if (room < 24) return '';
  if (widthOf(text, font) <= room) return text;
  for (let length = text.length - 1; length >= 3; length -= 1) {
    const shorter = `${text.slice(0, length).trimEnd()}…`;
    if (widthOf(shorter, font) <= room) return shorter;
  }
  return '';
}

const isSeen = operation =>
  position(operation.from) <= view.until && position(operation.until) >= view.from;

// Open since long before what is seen: it may take effect here, but so may
// all of them, and they would fill the screen.
const isStale = operation =>
  !isDefinite(operation) && position(operation.from) < view.from && !told.has(operation.number);

// The lanes with anything to see, and how much of it is left out.
function seenLanes() {
  let stale = 0;
  const seen = [];
  for (const { process, operations } of drawing.lanes) {
    const own = operations.filter(isSeen);
    const drawn = own.filter(operation => staleBox.checked || !isStale(operation));
    stale += own.filter(isStale).length;
    if (drawn.length > 0) seen.push({ process, operations: drawn, y: seen.length * LANE });
  }
  return { seen, stale };
}

function draw() {
  view.width = Math.max(scroller.clientWidth, 320);
  const { seen, stale } = seenLanes();
  const height = Math.max(seen.length, 1) * LANE + 6;
  for (const element of [lanesSvg, ruler]) element.setAttribute('width', view.width);
  lanesSvg.setAttribute('height', height);
  drawRuler();
  grow(height + Number(ruler.getAttribute('height')));
  drawBehind(seen, height);
  drawBars(seen);
  laneOf = new Map(seen.flatMap(({ y, operations }) => operations.map(({ number }) => [number, y])));
  mark();
  drawOverview();
  tellStatus(seen, stale);
}

// How far down each operation stands that is drawn.
let laneOf = new Map();

// Marks what is followed, on what is drawn already.
function mark() {
  const stop = tabStop();
  for (const [number, { classList, tabIndex }] of drawnBars) {
    classList.toggle('followed', number === followed.operation?.number);
    classList.toggle('missing', Boolean(followed.order?.missing.includes(number)));
    if ((tabIndex === 0) !== (number === stop)) drawnBars.get(number).tabIndex = number === stop ? 0 : -1;
  }
  drawOrder();
}

// The room for the lanes grows with them up to what a screen holds, and never
// shrinks: nothing below should move about.
let room = 0;

function grow(wanted) {
  const most = Math.max(window.innerHeight - 290, 280);
  room = Math.min(Math.max(room, wanted), most);
  scroller.style.height = `${room + 2}px`;
}

// Distances between ticks that read well.
function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map(factor => factor * power).find(step => step >= least);
}

function ticks() {
  if (view.byTime) {
    const { first, each } = clock();
    const step = roundStep(90 / scale() * each);
    const digits = Math.min(Math.max(0, Math.ceil(-Math.log10(step / 1e9))), 9);
    const begin = Math.ceil((first + Math.max(view.from, 0) * each) / step) * step;
    const end = first + Math.min(view.until, drawing.end - 1) * each;
    const marks = [];
    for (let ns = begin; ns <= end; ns += step) {
      marks.push({ x: GUTTER + ((ns - first) / each - view.from) * scale(), label: showTime(ns, digits) });
    }
    return marks;
  }
  const step = Math.max(roundStep(100 / scale()), 1);
  const marks = [];
  for (let rank = Math.max(Math.ceil(view.from / step) * step, 0); rank < drawing.end && rank <= view.until; rank += step) {
    const { index, ns } = drawing.events[rank];
    marks.push({ x: x(rank), label: `event ${index}`, ns });
  }
  if (!hasTimes) return marks;
  // As many digits as tell the ticks apart.
  const gaps = marks.slice(1).map(({ ns }, place) => ns - marks[place].ns).filter(gap => gap > 0);
  const digits = Math.min(Math.max(3, Math.ceil(1 - Math.log10(Math.min(...gaps, 1e9) / 1e9))), 9);
  return marks.map(mark => ({ ...mark, under: showTime(mark.ns, digits) }));
}

// Spans behind the lanes, clipped to what is seen.
function spans() {
  const window = { kind: 'window', label: page.window.label, ...drawing.pointed };
  const faults = drawing.faults.map(fault => ({ kind: fault.moment ? 'moment' : 'fault', ...fault }));
  return [window, ...faults].map(span => ({ ...span, left: x(span.from), right: x(span.until) }))
    .filter(({ left, right }) => right >= GUTTER && left <= view.width)
    .map(span => ({
      ...span,
      edges: [span.left, span.right].filter(edge => edge >= GUTTER && edge <= view.width),
      left: Math.max(span.left, GUTTER),
      right: Math.min(span.right, view.width),
    }));
}

// Puts labels into as few rows as they fit.
function rowsOf(spans) {
  const ends = [];
  return spans.map(span => {
    const width = widthOf(span.label, span.kind === 'window' ? '600 12px' : '12px') + 12;
    const left = Math.max(Math.min(span.left, view.width - width), GUTTER);
    let row = ends.findIndex(end => end <= left);
    if (row < 0) row = ends.length;
    ends[row] = left + width;
    return { ...span, textLeft: left, row };
  });
}

function drawRuler() {
  const labelled = rowsOf(spans());
  const rows = Math.max(0, ...labelled.map(({ row }) => row + 1));
  const height = RULER + rows * ROW + 4;
  ruler.setAttribute('height', height);
  const drawn = [];
  for (const { kind, left, right, row, label, textLeft, says } of labelled) {
    const y = RULER + row * ROW;
    const title = svg('title', {}, says ? `${label}: ${says}` : label);
    drawn.push(svg('g', { class: `span ${kind}` },
      title,
      svg('rect', { x: left, y: y + 1, width: Math.max(right - left, 2), height: height - y }),
      svg('text', { x: textLeft + 5, y: y + 13 }, label)));
  }
  for (const { x, label, under } of ticks()) {
    drawn.push(svg('line', { class: 'tick', x1: x, x2: x, y1: 30, y2: RULER }));
    if (x + 60 > view.width) continue;
    drawn.push(svg('text', { class: 'tick', x, y: 14 }, label));
    if (under) drawn.push(svg('text', { class: 'tick under', x, y: 27 }, under));
  }
  ruler.replaceChildren(...drawn);
}

function drawBehind(seen, height) {
  const drawn = spans().map(({ kind, left, right, edges }) =>
    svg('g', { class: `span ${kind}` },
      svg('rect', { x: left, y: 0, width: Math.max(right - left, 2), height }),
      ...edges.map(edge => svg('line', { x1: edge, x2: edge, y1: 0, y2: height }))));
  for (const { process, y } of seen) {
    drawn.push(svg('line', { class: 'lane', x1: 0, x2: view.width, y1: y + LANE, y2: y + LANE }));
    drawn.push(svg('text', { class: 'process', x: 8, y: y + BAR_TOP + BAR - 2 }, `process ${process}`));
  }
  layers.behind.replaceChildren(...drawn);
}

// The elements of the operations that are drawn; they are kept while they are
// seen, so that the focus stays where it is.
const drawnBars = new Map();

function drawBars(seen) {
  const gone = new Set(drawnBars.keys());
  for (const lane of seen) {
    // From the right, since each label may go on to where the next begins.
    let roomUntil = view.width;
    for (const operation of [...lane.operations].reverse()) {
      gone.delete(operation.number);
      drawBar(operation, lane.y, roomUntil);
      roomUntil = Math.min(roomUntil, labelBegin(operation));
    }
  }
  for (const number of gone) {
    drawnBars.get(number).remove();
    drawnBars.delete(number);
  }
}

function makeBar(operation) {
  const ends = { ok: 'ok', fail: 'failed', info: 'of unknown outcome', open: 'not over' };
  const group = svg('g', {
    class: `operation ${operation.ending}${operation.number === page.refuted ? ' refuted' : ''}`,
    role: 'button',
    tabindex: -1,
    'data-operation': operation.number,
    'aria-label': `process ${operation.process}, ${operation.label}, ${ends[operation.ending]}`,
  }, svg('rect', { class: 'hit' }), svg('path', { class: 'bar' }), svg('text'));
  layers.bars.append(group);
  drawnBars.set(operation.number, group);
  return group;
}

// A bar's outline; what may take effect later points to the right.
function outline(operation, left, right, y) {
  const bottom = y + BAR;
  if (isDefinite(operation)) return `M${left},${y}H${right}V${bottom}H${left}Z`;
  return `M${left},${y}H${right - 6}L${right},${y + BAR / 2}L${right - 6},${bottom}H${left}Z`;
}

const fontOf = operation => (operation.number === page.refuted ? '700 12px' : '12px');

// Where an operation's label begins. What it is all about is readable whatever
// stands beside it.
function labelBegin(operation) {
  const left = Math.max(x(operation.from), GUTTER);
  if (operation.number !== page.refuted) return left;
  return Math.min(left, view.width - widthOf(operation.label, fontOf(operation)) - 6);
}

function drawBar(operation, y, roomUntil) {
  const group = drawnBars.get(operation.number) ?? makeBar(operation);
  const [hit, bar, text] = group.children;
  const left = Math.max(x(operation.from), GUTTER);
  const right = Math.max(Math.min(x(operation.until), view.width + 8), left + 3);
  bar.setAttribute('d', outline(operation, left, right, y + BAR_TOP));
  const [begin, font] = [labelBegin(operation), fontOf(operation)];
  const isRefuted = operation.number === page.refuted;
  const label = isRefuted ? operation.label : fitting(operation.label, roomUntil - begin - 5, font);
  if (text.textContent !== label) text.textContent = label;
  text.setAttribute('x', begin);
  text.setAttribute('y', y + BAR_TOP - 4);
  const end = Math.max(right, begin + widthOf(label, font));
  for (const [name, value] of Object.entries({ x: begin - 3, y: y + 3, width: end - begin + 6, height: LANE - 4, rx: 3 })) {
    hit.setAttribute(name, value);
  }
  // Where the minimal sub-history is known, the rest matters less.
  group.classList.toggle('dimmed', needed.size > 0 && dimBox.checked && !needed.has(operation.number));
}

// One operation at a time can be reached by the Tab key; arrow keys go on.
function tabStop() {
  return (followed.operation ?? all[page.refuted] ?? drawing.operations.at(-1))?.number;
}

function drawOrder() {
  const { order } = followed;
  if (!order) {
    layers.line.replaceChildren();
    layers.places.replaceChildren();
    return;
  }
  const middle = number => laneOf.get(number) + BAR_TOP + BAR / 2;
  const points = order.steps.filter(step => laneOf.has(step.operation))
    .map(step => ({ step, x: x(step.at), y: middle(step.operation) }))
    .filter(point => point.x >= GUTTER && point.x <= view.width);
  const crosses = crossesOf(order, middle);
  const last = points.at(-1);
  layers.line.replaceChildren(
    svg('polyline', { points: points.map(({ x, y }) => `${x},${y}`).join(' ') }),
    ...crosses.filter(() => last).map(({ x, y }) =>
      svg('line', { class: 'vain', x1: last.x, y1: last.y, x2: x, y2: y })));
  layers.places.replaceChildren(
    ...placeMarks(points),
    ...crosses.map(({ x, y }) => svg('path', { class: 'cross', d: `M${x - 4},${y - 4}l8,8m0,-8l-8,8` })));
}

// The number of each step where it takes effect; a dot below it, where two
// numbers of a lane would overlap.
function placeMarks(points) {
  const ends = new Map();
  const marked = points.map(({ step, x, y }) => {
    const width = widthOf(String(step.place), '600 10px') + 8;
    const isFollowed = step.operation === followed.operation?.number;
    const { ending } = all[step.operation];
    const marks = svg('g', { class: `place ${ending}${isFollowed ? ' followed' : ''}` });
    if ((ends.get(y) ?? 0) > x - width / 2) {
      marks.append(svg('circle', { cx: x, cy: y, r: 3.5 }));
    } else {
      ends.set(y, x + width / 2 + 1);
      marks.append(
        svg('rect', { x: x - width / 2, y: y - 7, width, height: 14, rx: 7 }),
        svg('text', { x, y: y + 3.5 }, String(step.place)));
    }
    return marks;
  });
  const isDot = marks => marks.firstChild.localName === 'circle';
  return [...marked.filter(isDot), ...marked.filter(marks => !isDot(marks))];
}

// Where an operation without a place would have to stand: in its bar, after
// the last step.
function crossesOf(order, middle) {
  const last = order.steps.at(-1)?.at ?? 0;
  const missing = order.missing.filter(number => laneOf.has(number)).map(number => {
    const { from, until } = all[number];
    return { x: (x(Math.max(from, Math.min(last, until))) + x(until)) / 2, y: middle(number) };
  });
  return missing.filter(({ x }) => x >= GUTTER && x <= view.width);
}
