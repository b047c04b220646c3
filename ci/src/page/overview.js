// The whole page in a strip: faults, how many operations are open, what is
// pointed out, and the part that is seen below.

const OVERVIEW = 34;

const overview = document.getElementById('overview');

// How many operations are open in each of the strip's columns. What is
// unknown counts where it began.
function densities() {
  const columns = new Array(200).fill(0);
  const column = rank => Math.min(Math.floor(rank / Math.max(drawing.end, 1) * columns.length), columns.length - 1);
  for (const operation of drawing.operations) {
    const until = isDefinite(operation) ? operation.until : operation.from;
    for (let place = column(operation.from); place <= column(until); place += 1) columns[place] += 1;
  }
  return columns;
}

const overviewScale = () => view.width / (ends().until - ends().from);

const overviewX = place => (place - ends().from) * overviewScale();

function drawOverview() {
  overview.setAttribute('width', view.width);
  overview.setAttribute('height', OVERVIEW);
  const drawn = [];
  const band = (kind, from, until) => svg('rect', {
    class: kind,
    x: overviewX(from),
    y: 0,
    width: Math.max(overviewX(until) - overviewX(from), 1.5),
    height: OVERVIEW,
  });
  for (const fault of drawing.faults) drawn.push(band('fault', position(fault.from), position(fault.until)));
  drawn.push(densityPath());
  drawn.push(band('window', position(drawing.pointed.from), position(drawing.pointed.until)));
  drawn.push(band('seen', view.from, view.until));
  overview.replaceChildren(...drawn);
}

function densityPath() {
  const columns = densities();
  const most = Math.max(...columns, 1);
  const rank = column => column / columns.length * drawing.end;
  const points = columns.map((open, column) => {
    const y = OVERVIEW - open / most * (OVERVIEW - 8);
    return `L${overviewX(position(rank(column)))},${y}H${overviewX(position(rank(column + 1)))}`;
  });
  const [left, right] = [overviewX(position(0)), overviewX(position(drawing.end))];
  return svg('path', { class: 'density', d: `M${left},${OVERVIEW}${points.join('')}L${right},${OVERVIEW}Z` });
}

// Moves the seen part to where the pointer is, and with it.
function moveSeen(event) {
  const place = event.offsetX / overviewScale() + ends().from;
  const half = (view.until - view.from) / 2;
  show(place - half, place + half);
}

overview.addEventListener('pointerdown', event => {
  overview.setPointerCapture(event.pointerId);
  moveSeen(event);
});

overview.addEventListener('pointermove', event => {
  if (overview.hasPointerCapture(event.pointerId)) moveSeen(event);
});
