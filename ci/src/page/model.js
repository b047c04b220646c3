// The data of the page, joined: lanes, ranks of events, and where each step of
// an order stands.
//
// A rank is the place of an event among those of the operations on the page.
// Distances are measured in ranks, since it is the order of events that
// refutes; where each event has a time, they can be stretched to show that.

const page = JSON.parse(document.getElementById('data').textContent);
const operations = page.operations;

// What is unknown or not over may take effect at any time later.
const isDefinite = operation => operation.ending === 'ok' || operation.ending === 'fail';

// Everything that happens on the page, in order, with the times.
const events = (() => {
  const times = new Map();
  for (const operation of operations) {
    times.set(operation.invoked, operation.invoked_ns);
    if (operation.ending !== 'open') times.set(operation.completed, operation.completed_ns);
  }
  const sorted = [...times].sort(([one], [other]) => one - other);
  return sorted.map(([index, ns]) => ({ index, ns }));
})();

// The number of events on the page that stand before the event `index`.
function rankOf(index) {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (events[middle].index < index) low = middle + 1;
    else high = middle;
  }
  return low;
}

// Where the prefix ends, which no operation is drawn beyond.
const END = events.length;

// Where something stands that is no event of the page itself: between two.
function rankBetween(index) {
  const rank = rankOf(index);
  return events[rank]?.index === index ? rank : rank - 0.5;
}

operations.forEach((operation, number) => {
  operation.number = number;
  operation.from = rankOf(operation.invoked);
  operation.until = isDefinite(operation) ? rankOf(operation.completed) : END;
});

// Processes in the order of their numbers, each with its operations.
const lanes = (() => {
  const byProcess = new Map();
  for (const operation of operations) {
    if (!byProcess.has(operation.process)) byProcess.set(operation.process, []);
    byProcess.get(operation.process).push(operation);
  }
  const sorted = [...byProcess].sort(([one], [other]) => one - other);
  return sorted.map(([process, own]) => ({ process, operations: own }));
})();

// What is not healed in the prefix goes on beyond everything that is drawn.
function endOf({ moment, first, last }) {
  if (moment) return rankBetween(first);
  return last === null || last > page.prefix.last ? END + 2 : rankBetween(last);
}

const faults = page.faults.map(fault => ({ ...fault, from: rankBetween(fault.first), until: endOf(fault) }));

// A step takes effect after it is invoked and after every step before it has
// taken effect. Those that fall between the same two events share the room.
function placeSteps(order) {
  let latest = 0;
  let sharing = [];
  const share = () => sharing.forEach((step, place) => {
    step.at = latest + (place + 1) / (sharing.length + 1);
  });
  order.steps.forEach((step, place) => {
    step.place = order.skipped + place + 1;
    const { from } = operations[step.operation];
    if (from > latest) {
      share();
      sharing = [];
      latest = from;
    }
    sharing.push(step);
  });
  share();
}

const orders = page.orders.map((order, number) => {
  placeSteps(order);
  const stepOf = new Map(order.steps.map(step => [step.operation, step]));
  return { ...order, number, stepOf };
});

const needed = new Set(page.needed);

// Whether an operation stands in an order before the steps that are shown:
// whatever had completed before the missing one did, has a place in it.
function isSkipped(order, operation) {
  if (order.skipped === 0 || operation.ending !== 'ok' || order.stepOf.has(operation.number)) return false;
  const missing = order.missing.map(number => operations[number].until);
  return !order.missing.includes(operation.number) && missing.some(until => operation.until < until);
}

// The order to show for an operation: the first that has a place for it.
function orderOf(operation) {
  return orders.find(order => order.stepOf.has(operation.number))
    ?? orders.find(order => order.missing.includes(operation.number))
    ?? orders.find(order => isSkipped(order, operation));
}

// What the picture is about: it is always drawn.
const told = new Set([
  ...orders.flatMap(order => [...order.stepOf.keys(), ...order.missing]),
  ...needed,
  ...[page.refuted, page.failed_writer].filter(number => number !== null),
]);

const count = (number, one, many) => `${number.toLocaleString('en')} ${number === 1 ? one : many}`;

// Nanoseconds as a time, with the digits that tell neighbours apart.
function showTime(ns, digits = 3) {
  return `${(ns / 1e9).toFixed(digits)} s`;
}

function showDuration(ns) {
  const [unit, size] = [['s', 1e9], ['ms', 1e6], ['µs', 1e3]].find(([, size]) => ns >= size) ?? ['ns', 1];
  return `${Number((ns / size).toPrecision(3))} ${unit}`;
}
