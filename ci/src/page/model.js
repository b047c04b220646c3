// The data of the page, joined: lanes, ranks of events, and where each step of
// an order stands.
//
// A rank is the place of an event among those that are drawn: of operations
// and faults. Distances are measured in ranks, since it is the order of events that
// refutes; where each event has a time, they can be stretched to show that.

const page = JSON.parse(document.getElementById('data').textContent);

const all = page.operations.map((operation, number) => ({ ...operation, number }));

const needed = new Set(page.needed);

const orders = page.orders.map((order, number) => {
  const steps = order.steps.map((step, place) => ({ ...step, place: order.skipped + place + 1 }));
  return { ...order, number, steps, stepOf: new Map(steps.map(step => [step.operation, step])) };
});

// What the picture is about: it is always drawn.
const told = new Set([
  ...orders.flatMap(order => [...order.stepOf.keys(), ...order.missing]),
  ...needed,
  ...[page.refuted, page.failed_writer].filter(number => number !== null),
]);

// What had no effect and says nothing takes room, and is drawn on request.
const silent = all.filter(operation => operation.silent && !told.has(operation.number));

// What is unknown or not over may take effect at any time later.
const isDefinite = operation => operation.ending === 'ok' || operation.ending === 'fail';

// Set by `arrange`: what is drawn.
const drawing = {
  operations: [],
  // Everything that happens to those, in order, with the times.
  events: [],
  // Where the prefix ends, which no operation is drawn beyond.
  end: 0,
  // Processes in the order of their numbers, each with its operations.
  lanes: [],
  faults: [],
  // What is pointed out.
  pointed: { from: 0, until: 0 },
};

// Lays everything out, with the silent operations or without.
function arrange(withSilent) {
  const without = new Set(withSilent ? [] : silent);
  const operations = all.filter(operation => !without.has(operation));
  const times = new Map();
  for (const operation of operations) {
    times.set(operation.invoked, operation.invoked_ns);
    if (operation.ending !== 'open') times.set(operation.completed, operation.completed_ns);
  }
  const begin = operations[0]?.invoked ?? 0;
  for (const { first, first_ns, last, last_ns } of page.faults) {
    if (first >= begin) times.set(first, first_ns);
    if (last !== null && last >= begin && last <= page.prefix.last) times.set(last, last_ns);
  }
  const events = [...times].sort(([one], [other]) => one - other).map(([index, ns]) => ({ index, ns }));
  Object.assign(drawing, { operations, events, end: events.length });
  for (const operation of operations) {
    operation.from = rankOf(operation.invoked);
    operation.until = isDefinite(operation) ? rankOf(operation.completed) : drawing.end;
  }
  drawing.lanes = lanesOf(operations);
  drawing.faults = page.faults.map(fault => ({ ...fault, from: rankBetween(fault.first), until: endOf(fault) }));
  drawing.pointed = { from: rankBetween(page.window.first), until: rankBetween(page.window.last) };
  orders.forEach(placeSteps);
}

// How many events that are drawn stand before the event `index`.
function rankOf(index) {
  const { events } = drawing;
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (events[middle].index < index) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Where something stands that may be none of those events: between two.
function rankBetween(index) {
  const rank = rankOf(index);
  return drawing.events[rank]?.index === index ? rank : rank - 0.5;
}

// What is not healed in the prefix goes on beyond everything that is drawn.
function endOf({ moment, first, last }) {
  if (moment) return rankBetween(first);
  return last === null || last > page.prefix.last ? drawing.end + 2 : rankBetween(last);
}

function lanesOf(operations) {
  const byProcess = new Map();
  for (const operation of operations) {
    if (!byProcess.has(operation.process)) byProcess.set(operation.process, []);
    byProcess.get(operation.process).push(operation);
  }
  const sorted = [...byProcess].sort(([one], [other]) => one - other);
  return sorted.map(([process, own]) => ({ process, operations: own }));
}

// A step takes effect after it is invoked and after every step before it has
// taken effect. Those that fall between the same two events share the room.
function placeSteps(order) {
  let latest = 0;
  let sharing = [];
  const share = () => sharing.forEach((step, place) => {
    step.at = latest + (place + 1) / (sharing.length + 1);
  });
  for (const step of order.steps) {
    const { from } = all[step.operation];
    if (from > latest) {
      share();
      sharing = [];
      latest = from;
    }
    sharing.push(step);
  }
  share();
}

// Whether an operation stands in an order before the steps that are shown:
// whatever had completed before the missing one did, has a place in it.
function isSkipped(order, operation) {
  if (order.skipped === 0 || operation.ending !== 'ok' || order.stepOf.has(operation.number)) return false;
  const missing = order.missing.map(number => all[number].completed);
  return !order.missing.includes(operation.number) && missing.some(completed => operation.completed < completed);
}

// The order to show for an operation: the first that has a place for it.
function orderOf(operation) {
  return orders.find(order => order.stepOf.has(operation.number))
    ?? orders.find(order => order.missing.includes(operation.number))
    ?? orders.find(order => isSkipped(order, operation));
}

const count = (number, one, many) => `${number.toLocaleString('en')} ${number === 1 ? one : many}`;

// Nanoseconds as a time, with the digits that tell neighbours apart.
function showTime(ns, digits = 3) {
  return `${(ns / 1e9).toFixed(digits)} s`;
}

function showDuration(ns) {
  const [unit, size] = [['s', 1e9], ['ms', 1e6], ['µs', 1e3]].find(([, size]) => ns >= size) ?? ['ns', 1];
  return `${Number((ns / size).toPrecision(3))} ${unit}`;
}

arrange(false);
