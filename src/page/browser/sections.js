/** The parts of the page, each made from the data. */
import { badge, cell, columnHeader, element, row, rowHeader, table } from './dom.js';
import { pager } from './pager.js';
import { formatAge, formatCount, pageOf, serviceOf, shareInUse } from './rows.js';

/** @typedef {import('../page-data.ts').PageData} PageData */
/** @typedef {import('../page-data.ts').PageAddress} PageAddress */
/** @typedef {import('../page-data.ts').PageNode} PageNode */
/** @typedef {import('../page-data.ts').PagePool} PagePool */
/** @typedef {import('../page-data.ts').PageProblem} PageProblem */
/** @typedef {import('./rows.js').RowOrder} RowOrder */
/** @typedef {import('./rows.js').SessionRow} SessionRow */
/** @typedef {import('./dom.js').Child} Child */
/** The counts that fill a bar: the largest count of any node. @typedef {Pick<PageNode, 'answers' | 'advertises'>} FullBars */

const sizes = { problems: 20, services: 50, nodes: 24, sessions: 50 };

/**
 * @param {PageData} data
 * @param {number} page
 * @param {ReadonlyMap<string, string>} serviceOfAddress
 * @returns {Child[]}
 */
export function problemsBody({ problems, problemCount }, page, serviceOfAddress) {
  if (problemCount === 0) return [element('p', { class: 'nothing' }, badge(true, 'Nothing is wrong.'))];
  const part = pageOf(problems, page, sizes.problems);
  const hidden = problemCount - problems.length;
  return [
    element(
      'ul',
      { class: 'problems', role: 'list' },
      ...part.rows.map((problem) => problemItem(problem, serviceOf(problem, serviceOfAddress))),
    ),
    pager('problems', part),
    hidden > 0 &&
      element(
        'p',
        { class: 'quiet' },
        `${formatCount(hidden)} more problems are not listed. The table of Services shows those that concern a Service.`,
      ),
  ];
}

/**
 * @param {PageProblem} problem
 * @param {string | undefined} service
 */
function problemItem({ kind, text }, service) {
  return element(
    'li',
    {},
    badge(false, kind),
    element('span', { class: 'grow' }, text),
    service !== undefined && explainButton('Explain', service),
  );
}

/**
 * @param {string} text
 * @param {string} service
 */
function explainButton(text, service) {
  const label = text === service ? `${service}: explain` : `${text} ${service}`;
  return element(
    'button',
    { type: 'button', class: 'link', 'data-explain': service, 'aria-label': label },
    text,
  );
}

/** @type {readonly (readonly [import('./rows.js').AddressColumn, string])[]} */
const addressColumns = [
  ['service', 'Service'],
  ['address', 'Address'],
  ['pool', 'Pool'],
  ['state', 'State'],
];
const announcers = 'Announced by, or why not';

/**
 * @param {readonly PageAddress[]} addresses that pass the filter, in order
 * @param {number} page
 * @param {RowOrder} order
 * @returns {Child[]}
 */
export function servicesBody(addresses, page, order) {
  const part = pageOf(addresses, page, sizes.services);
  const headers = [
    ...addressColumns.map(([column, text]) => sortHeader(column, text, order)),
    columnHeader(announcers),
  ];
  return [
    part.total > 0 && table('Services and their addresses', headers, part.rows.map(addressRow)),
    pager('addresses', part),
  ];
}

/**
 * @param {import('./rows.js').AddressColumn} column
 * @param {string} text
 * @param {RowOrder} order
 */
function sortHeader(column, text, order) {
  const isSorted = order.column === column;
  const header = columnHeader(
    text,
    element(
      'button',
      { type: 'button', class: 'sort', 'data-sort': column },
      text,
      element('span', { 'aria-hidden': 'true' }, isSorted ? (order.descending ? ' ▼' : ' ▲') : ''),
    ),
  );
  if (isSorted) header.setAttribute('aria-sort', order.descending ? 'descending' : 'ascending');
  return header;
}

/** @param {PageAddress} each */
function addressRow({ service, address, pool, policy, text, isAsDesired }) {
  const state = address === undefined ? 'waiting' : isAsDesired ? 'as desired' : 'wrong';
  return row(
    rowHeader('Service', explainButton(service, service)),
    cell('Address', element('code', {}, address ?? 'none yet')),
    cell('Pool', pool !== '' && `${pool} `, policy === 'Local' && element('span', { class: 'tag' }, 'Local')),
    cell('State', badge(isAsDesired, state)),
    cell(announcers, text),
  );
}

/**
 * @param {readonly PageNode[]} nodes in order
 * @param {number} page
 * @returns {Child[]}
 */
export function nodesBody(nodes, page) {
  const part = pageOf(nodes, page, sizes.nodes);
  // Each protocol has its own scale, because a cluster may announce thousands of addresses by BGP and a few in layer 2.
  const full = {
    answers: Math.max(1, ...nodes.map(({ answers }) => answers)),
    advertises: Math.max(1, ...nodes.map(({ advertises }) => advertises)),
  };
  return [
    element('ul', { class: 'cards', role: 'list' }, ...part.rows.map((node) => nodeCard(node, full))),
    pager('nodes', part),
  ];
}

/**
 * @param {PageNode} node
 * @param {FullBars} full
 */
function nodeCard(node, full) {
  const { notReached, leaving, troubles, isAsDesired } = node;
  const state =
    notReached !== undefined
      ? 'not reached'
      : leaving !== undefined
        ? 'leaves'
        : isAsDesired
          ? 'as desired'
          : 'wrong';
  return element(
    'li',
    { class: isAsDesired ? 'card' : 'card faulty' },
    element('div', { class: 'card-head' }, element('h3', {}, node.node), badge(isAsDesired, state)),
    leaving !== undefined && element('p', { class: 'quiet' }, leaving),
    ...[...(notReached === undefined ? [] : [notReached]), ...troubles].map((text) =>
      element('p', { class: 'fault' }, text),
    ),
    ...(notReached === undefined ? reachedNode(node, full) : []),
  );
}

/**
 * @param {PageNode} node
 * @param {FullBars} full
 */
function reachedNode({ node, links, answers, advertises, sessions, members, missingMembers }, full) {
  return [
    bar(
      `layer 2: ${formatCount(answers)}`,
      `Addresses that ${node} answers for in layer 2`,
      answers,
      full.answers,
    ),
    bar(
      `BGP: ${formatCount(advertises)}`,
      `Addresses that ${node} announces by BGP`,
      advertises,
      full.advertises,
    ),
    lines(
      `Links of ${node}`,
      links.map(({ name, subnets }) => ({ isGood: true, name, text: subnets.join(', ') || 'no subnet' })),
    ),
    lines(
      `BGP sessions of ${node}`,
      sessions.map(({ peer, state, isAsDesired }) => ({ isGood: isAsDesired, name: peer, text: state })),
    ),
    element(
      'p',
      { class: 'quiet' },
      missingMembers.length === 0
        ? `hears ${members} other speakers`
        : `hears ${members} other speakers, but not ${missingMembers.join(', ')}`,
    ),
  ];
}

/**
 * @param {string} text
 * @param {string} label
 * @param {number} value
 * @param {number} most
 */
function bar(text, label, value, most) {
  return element(
    'div',
    { class: 'bar' },
    element('span', {}, text),
    element('meter', { min: '0', max: String(most), value: String(value), 'aria-label': label }),
  );
}

/**
 * Draws each link or session as a line from the node: dashed for a session that is not as desired, and solid otherwise.
 * @param {string} label
 * @param {readonly { isGood: boolean, name: string, text: string }[]} items
 */
function lines(label, items) {
  return (
    items.length > 0 &&
    element(
      'ul',
      { class: 'lines', role: 'list', 'aria-label': label },
      ...items.map(({ isGood, name, text }) =>
        element(
          'li',
          { class: isGood ? 'up' : 'down' },
          element('span', { class: 'end' }, name),
          element('span', {}, text),
        ),
      ),
    )
  );
}

/**
 * @param {readonly SessionRow[]} rows
 * @param {number} page
 * @param {number} nowMs
 * @returns {Child[]}
 */
export function sessionsBody(rows, page, nowMs) {
  const part = pageOf(rows, page, sizes.sessions);
  const headers = ['Node', 'Peer', 'State', 'For', 'Routes', 'BFD', 'Notes'].map((text) =>
    columnHeader(text),
  );
  return [
    part.total > 0 &&
      table(
        'BGP sessions',
        headers,
        part.rows.map((each) => sessionRow(each, nowMs)),
      ),
    pager('sessions', part),
  ];
}

/**
 * @param {SessionRow} session
 * @param {number} nowMs
 */
function sessionRow({ node, peer, state, since, routesSent, routesDesired, isAsDesired, bfd, notes }, nowMs) {
  const routes =
    routesSent === routesDesired
      ? formatCount(routesSent)
      : `${formatCount(routesSent)} of ${formatCount(routesDesired)}`;
  return row(
    rowHeader('Node', node),
    cell('Peer', peer),
    cell('State', badge(isAsDesired, state)),
    cell('For', element('time', { datetime: since, title: since }, formatAge(nowMs - Date.parse(since)))),
    cell('Routes', routes),
    cell('BFD', bfd ?? 'none'),
    cell('Notes', notes),
  );
}

/**
 * @param {readonly PagePool[]} pools
 * @returns {Child[]}
 */
export function poolsBody(pools) {
  if (pools.length === 0) return [element('p', {}, 'The accepted configuration has no pools.')];
  const headers = ['Pool', 'Protocol', 'Family', 'In use', 'Free', 'Addresses'].map((text) =>
    columnHeader(text),
  );
  return [table('Pools', headers, pools.map(poolRow))];
}

/** @param {PagePool} each */
function poolRow(each) {
  const { pool, protocol, family, addresses, inUse, free, draining } = each;
  const share = shareInUse(each);
  const label = `Part of ${pool} that is in use, ${family}`;
  return row(
    rowHeader('Pool', pool),
    cell('Protocol', protocol),
    cell('Family', family),
    cell(
      'In use',
      element('meter', { min: '0', max: '1', high: '0.9', value: String(share), 'aria-label': label }),
      ` ${formatCount(inUse)}`,
    ),
    cell('Free', draining ? '0, draining' : formatCount(free)),
    cell('Addresses', formatCount(addresses)),
  );
}
