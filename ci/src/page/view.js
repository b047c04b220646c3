// Which part of the history is seen, and where things stand in it.

// The shortest part that can be seen, in ranks.
const SPAN_MIN = 4;

// So wide an event is drawn, in pixels, where the page opens.
const EVENT_WIDTH = 38;

// Widths of texts, as the page's font has them.
const widthOf = (() => {
  const context = document.createElement('canvas').getContext('2d');
  const known = new Map();
  return (text, font = '12px') => {
    const key = `${font} ${text}`;
    if (!known.has(key)) {
      context.font = `${font} system-ui, sans-serif`;
      known.set(key, context.measureText(text).width);
    }
    return known.get(key);
  };
})();

// Left of the lanes stand their names.
const GUTTER = Math.max(64, ...all.map(({ process }) => widthOf(`process ${process}`) + 16));

const ruler = document.getElementById('ruler');
const lanesSvg = document.getElementById('lanes');

// The name of SVG's elements is taken from one that the page has.
const SVG = lanesSvg.namespaceURI;

function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(attribute, value);
  }
  element.append(...children);
  return element;
}

function html(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) {
    if (value !== undefined) element.setAttribute(attribute, value);
  }
  element.append(...children);
  return element;
}

// Times are shown as distances only where they are those of a clock.
const hasTimes = drawing.events.length > 1 && drawing.events.at(-1).ns > drawing.events[0].ns
  && drawing.events.every(({ ns }, rank) => rank === 0 || ns >= drawing.events[rank - 1].ns);

// The first time of what is drawn, and how much of it goes by in a position.
function clock() {
  const { events, end } = drawing;
  return { first: events[0].ns, each: (events.at(-1).ns - events[0].ns) / (end - 1) };
}

const view = { from: 0, until: 1, width: 900, byTime: false };

// Where a rank, or a place between two, stands from left to right; the whole
// page is as long as its number of events in either measure.
function position(rank) {
  if (!view.byTime) return rank;
  const { events, end } = drawing;
  if (rank <= 0 || rank >= end - 1) return rank;
  const { first, each } = clock();
  const timed = whole => (events[whole].ns - first) / each;
  const whole = Math.floor(rank);
  return timed(whole) + (rank - whole) * (timed(whole + 1) - timed(whole));
}

const scale = () => (view.width - GUTTER) / (view.until - view.from);

const x = rank => GUTTER + (position(rank) - view.from) * scale();

// The place under a pixel, as `position` gives it.
const positionAt = pixel => view.from + (pixel - GUTTER) / scale();

// The most that can be seen.
const ends = () => ({ from: -1, until: drawing.end + 1 });

function show(from, until) {
  const most = ends();
  const span = Math.min(Math.max(until - from, SPAN_MIN), most.until - most.from);
  view.from = Math.min(Math.max(from, most.from), most.until - span);
  view.until = view.from + span;
  redraw();
}

function zoom(factor, around = (view.from + view.until) / 2) {
  show(around - (around - view.from) * factor, around + (view.until - around) * factor);
}

const pan = positions => show(view.from + positions, view.until + positions);

const showAll = () => show(ends().from, ends().until);

// What is pointed out, with the steps that lead to it as far as they can be
// read.
function showWindow() {
  const steps = orders.flatMap(order => order.steps.map(step => all[step.operation].from));
  const window = position(drawing.pointed.from);
  const from = Math.min(window, ...steps.map(position));
  const end = position(drawing.end);
  const readable = (view.width - GUTTER) / EVENT_WIDTH;
  const wanted = Math.min(Math.max(end - from, end - window), view.byTime ? Infinity : Math.max(readable, end - window));
  show(end - wanted - 1, end + 1);
  afterDrawing(() => revealLane(page.refuted));
}

// Scrolls as little as needed to see the lane of an operation that is drawn.
function revealLane(number) {
  if (!laneOf.has(number)) return;
  const [top, head] = [laneOf.get(number), ruler.clientHeight];
  const below = top + LANE + head + 8 - scroller.clientHeight;
  scroller.scrollTop = Math.min(Math.max(scroller.scrollTop, below), top);
}

// Moves as little as needed to see an operation's beginning.
function reveal(operation) {
  const [from, until] = [position(operation.from), position(operation.until)];
  const seen = view.until - view.from;
  if (until < view.from + seen * 0.02) pan(from - view.from - seen * 0.1);
  else if (from > view.until - seen * 0.05) pan(from - view.until + seen * 0.3);
  afterDrawing(() => revealLane(operation.number));
}

let drawn = false;

// Draws once before the next frame, however often it is asked for.
function redraw() {
  if (drawn) return;
  drawn = true;
  requestAnimationFrame(() => {
    drawn = false;
    draw();
  });
}

// What is to be done once all is drawn that was asked for.
const afterDrawing = action => requestAnimationFrame(() => requestAnimationFrame(action));
