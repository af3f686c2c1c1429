/**
 * The page: asks for the data every few seconds while the page is visible, and draws the data. The URL of the page reveals nothing about the
 * cluster, and the page stores nothing in the browser.
 */
import { badge, byId, element, replaceChildren, setText } from './dom.js';
import { explanationBody } from './explanation.js';
import { filterAddresses, formatAge, formatCount, sessionRows, sortAddresses, sortNodes } from './rows.js';
import { nodesBody, poolsBody, problemsBody, servicesBody, sessionsBody } from './sections.js';

/** @typedef {import('../page-data.ts').PageData} PageData */
/** @typedef {import('./rows.js').AddressFilter} AddressFilter */
/** @typedef {import('./rows.js').RowOrder} RowOrder */
/** @typedef {'problems' | 'services' | 'nodes' | 'sessions'} List */

const pollMs = 5000;
/** Pause between two requests while the first data is being collected. */
const firstPollMs = 500;
/** When the data is older than this, the page marks the age of the data as a fault. */
const oldMs = 30_000;

/** @type {PageData | undefined} */
let data;
let tag = '';
let collectedAtMs = 0;
/** Why the data is not renewed; empty while the data is renewed. */
let failure = '';
/** @type {ReadonlyMap<string, string>} */
let serviceOfAddress = new Map();
/** Starts with the values of the form, because a browser may have restored the choices of an earlier visit. @type {AddressFilter} */
let filter = chosenFilter();
/** @type {RowOrder} */
let order = { column: 'state', descending: false };
/** For each list, the number of the page that is shown; 0 for the first. @type {Record<List, number>} */
const pages = { problems: 0, services: 0, nodes: 0, sessions: 0 };
/** The Service whose explanation is shown; empty while none is. */
let explained = '';

const dialog = /** @type {HTMLDialogElement} */ (byId('explanation'));

/** Asks for the data once. Returns the pause until the next time, in milliseconds. */
async function poll() {
  try {
    const response = await ask('data', tag === '' ? {} : { 'if-none-match': tag });
    if (response.status === 202) {
      failure = '';
      return firstPollMs;
    }
    if (!response.ok && response.status !== 304) {
      failure = await problemOf(response);
      return pollMs;
    }
    failure = decodeURIComponent(response.headers.get('x-failure') ?? '');
    collectedAtMs = Date.parse(response.headers.get('x-collected-at') ?? '');
    if (response.status === 304) return pollMs;
    data = /** @type {PageData} */ (await response.json());
    tag = response.headers.get('etag') ?? '';
    serviceOfAddress = new Map(
      data.addresses.flatMap(({ service, address }) => (address === undefined ? [] : [[address, service]])),
    );
    if (explained !== '') void loadExplanation();
  } catch (error) {
    failure = reasonOf(error);
  }
  return pollMs;
}

/**
 * @param {string} path
 * @param {Record<string, string>} headers
 */
async function ask(path, headers = {}) {
  try {
    return await fetch(path, { cache: 'no-store', headers });
  } catch {
    throw new Error('the process that serves this page does not answer');
  }
}

/** @param {unknown} error */
function reasonOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/** @param {Response} response */
async function problemOf(response) {
  const text = await response.text();
  try {
    return String(JSON.parse(text).problem);
  } catch {
    return text.trim() || `HTTP status ${response.status}`;
  }
}

let isPolling = false;
/** Polls while the page is visible. A hidden page makes no requests. */
async function pollWhileVisible() {
  if (isPolling) return;
  isPolling = true;
  while (document.visibilityState === 'visible') {
    const pauseMs = await poll();
    try {
      draw();
    } catch (error) {
      failure = `the data arrived, but this page cannot draw it: ${reasonOf(error)}`;
      drawAlert();
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  isPolling = false;
}

function draw() {
  drawAlert();
  drawFreshness();
  if (!data) return;
  drawHeader(data);
  drawList('problems');
  drawPoolChoice(data);
  drawList('services');
  drawList('nodes');
  drawList('sessions');
  replaceChildren(byId('pools-body'), poolsBody(data.pools));
}

function drawAlert() {
  const alert = byId('alert');
  alert.hidden = failure === '';
  const old = data ? ' What you see is old.' : '';
  setText(alert, failure === '' ? '' : `The state of the cluster cannot be read: ${failure}.${old}`);
}

function drawFreshness() {
  if (!data) return;
  const ageMs = Date.now() - collectedAtMs;
  const freshness = byId('freshness');
  freshness.className = ageMs > oldMs ? 'fault' : 'quiet';
  setText(
    freshness,
    `Collected ${formatAge(ageMs)} ago. Release ${data.release}, namespace ${data.namespace}.`,
  );
}

/** @param {PageData} shown */
function drawHeader({ problemCount, configuration, leader, addresses, nodes, pools }) {
  const isGood = problemCount === 0;
  const text = isGood
    ? 'Everything is as desired'
    : `${formatCount(problemCount)} ${problemCount === 1 ? 'problem' : 'problems'}`;
  replaceChildren(byId('summary'), [badge(isGood, text)]);
  document.title = isGood ? 'Bellman' : `${text} – Bellman`;
  const [state = '', ...notes] = configuration.text.split('\n');
  replaceChildren(byId('control'), [
    badge(leader.isAsDesired, `leader: ${leader.text}`),
    badge(configuration.isAsDesired, `configuration: ${state}`),
    // The notes of a configuration that is as desired are warnings, which the list of problems leaves out. For any other configuration, that list
    // shows the notes.
    ...(configuration.isAsDesired ? notes : []).map((note) =>
      element('span', { class: 'quiet' }, note.trim()),
    ),
  ]);
  const sessions = sessionRows(nodes);
  replaceChildren(byId('tiles'), [
    tile('problems', 'wrong', problemCount, isGood ? 'nothing' : 'see the list', isGood),
    ratioTile('services', ['address', 'addresses'], addresses),
    ratioTile('nodes', ['node', 'nodes'], nodes),
    ratioTile('sessions', ['session', 'sessions'], sessions),
    tile('pools', pools.length === 1 ? 'pool' : 'pools', pools.length, '', true),
  ]);
}

/**
 * @param {string} section
 * @param {readonly [singular: string, plural: string]} nouns
 * @param {readonly { readonly isAsDesired: boolean }[]} items
 */
function ratioTile(section, [singular, plural], items) {
  const good = items.filter(({ isAsDesired }) => isAsDesired).length;
  const isGood = good === items.length;
  return tile(
    section,
    items.length === 1 ? singular : plural,
    items.length,
    isGood ? 'all as desired' : `${formatCount(items.length - good)} not as desired`,
    isGood,
  );
}

/**
 * @param {string} section
 * @param {string} noun
 * @param {number} count
 * @param {string} note
 * @param {boolean} isGood
 */
function tile(section, noun, count, note, isGood) {
  return element(
    'li',
    {},
    element(
      'a',
      { href: `#${section}`, class: isGood ? 'tile' : 'tile faulty' },
      element('strong', {}, formatCount(count)),
      ` ${noun}`,
      note !== '' && element('small', {}, note),
    ),
  );
}

/** @param {PageData} shown */
function drawPoolChoice({ pools }) {
  const names = [...new Set(pools.map(({ pool }) => pool))];
  const choice = /** @type {HTMLSelectElement} */ (byId('services-pool'));
  const chosen = choice.value;
  replaceChildren(choice, [
    element('option', { value: '' }, 'all'),
    ...names.map((name) => element('option', { value: name }, name)),
  ]);
  choice.value = names.includes(chosen) ? chosen : '';
  filter = { ...filter, pool: choice.value };
}

/** @param {List} list */
function drawList(list) {
  if (!data) return;
  replaceChildren(byId(`${list}-body`), bodyOf(list, data));
}

/**
 * @param {List} list
 * @param {PageData} shown
 */
function bodyOf(list, shown) {
  switch (list) {
    case 'problems':
      return problemsBody(shown, pages.problems, serviceOfAddress);
    case 'services':
      return servicesBody(
        sortAddresses(filterAddresses(shown.addresses, filter), order),
        pages.services,
        order,
      );
    case 'nodes':
      return nodesBody(sortNodes(shown.nodes), pages.nodes);
    case 'sessions':
      return sessionsBody(sessionRows(shown.nodes), pages.sessions, Date.now());
  }
}

/** @param {string} service */
function openExplanation(service) {
  explained = service;
  setText(byId('explanation-title'), service);
  replaceChildren(byId('explanation-body'), [element('p', {}, 'Asking the speakers…')]);
  dialog.showModal();
  void loadExplanation();
}

async function loadExplanation() {
  const asked = explained;
  /** @type {import('./dom.js').Child[]} */
  let body;
  try {
    const response = await ask(`explain?service=${encodeURIComponent(asked)}`);
    body = response.ok
      ? explanationBody(await response.json())
      : [element('p', { class: 'fault' }, await problemOf(response))];
  } catch (error) {
    body = [element('p', { class: 'fault' }, reasonOf(error))];
  }
  if (explained === asked) replaceChildren(byId('explanation-body'), body);
}

/** One listener for each list. It finds the object of a click in the `data-` attributes, because elements are reused for other objects. */
for (const list of /** @type {const} */ (['problems', 'services', 'nodes', 'sessions']))
  byId(`${list}-body`).addEventListener('click', ({ target }) => {
    const button = target instanceof Element ? target.closest('button') : null;
    if (!button || button.getAttribute('aria-disabled') === 'true') return;
    const { explain, page, sort } = button.dataset;
    if (explain !== undefined) return openExplanation(explain);
    if (page !== undefined) pages[list] = Number(page);
    if (sort !== undefined) {
      const column = /** @type {RowOrder['column']} */ (sort);
      order = { column, descending: order.column === column && !order.descending };
      pages.services = 0;
    }
    drawList(list);
  });

/** @returns {AddressFilter} */
function chosenFilter() {
  const textOf = (/** @type {string} */ id) => /** @type {HTMLInputElement} */ (byId(id)).value;
  return {
    text: textOf('services-search'),
    state: /** @type {AddressFilter['state']} */ (textOf('services-state')),
    pool: textOf('services-pool'),
  };
}

byId('services-form').addEventListener('input', () => {
  filter = chosenFilter();
  pages.services = 0;
  drawList('services');
});
byId('services-form').addEventListener('submit', (event) => event.preventDefault());
byId('explanation-close').addEventListener('click', () => dialog.close());
dialog.addEventListener('close', () => {
  explained = '';
});
document.addEventListener('visibilitychange', () => void pollWhileVisible());
setInterval(drawFreshness, 1000);
void pollWhileVisible();
