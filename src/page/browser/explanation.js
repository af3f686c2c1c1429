/** The explanation of a Service, as `bellman explain` gives it. */
import { badge, element } from './dom.js';

/** @typedef {import('../../report/explain/explanation.ts').Explanation} Explanation */
/** @typedef {import('../../report/explain/explanation.ts').AddressExplanation} AddressExplanation */
/** @typedef {import('../../report/explain/explanation.ts').NodeExplanation} NodeExplanation */
/** @typedef {import('../../report/explain/explanation.ts').Cause} Cause */
/** @typedef {import('./dom.js').Child} Child */

/**
 * @param {Explanation} explanation
 * @returns {Child[]}
 */
export function explanationBody({ verdict, causes, addresses }) {
  return [
    element('p', {}, badge(verdict === 'announced', verdict)),
    ...causeList(causes),
    ...addresses.flatMap(addressPart),
  ];
}

/**
 * @param {AddressExplanation} address
 * @returns {Child[]}
 */
function addressPart({ address, pool, protocols, verdict, summary, causes, nodes, transitions }) {
  const where = pool === undefined ? 'in no pool' : `pool ${pool}, ${protocols.join(' and ')}`;
  return [
    element('h3', {}, element('code', {}, address), ' ', badge(verdict === 'announced', verdict)),
    element('p', {}, summary),
    element('p', { class: 'quiet' }, where),
    ...causeList(causes),
    element('h4', {}, 'Nodes'),
    element('ul', {}, ...nodes.map(nodeItem)),
    ...(transitions.length === 0
      ? []
      : [
          element('h4', {}, 'Last changes'),
          element(
            'ul',
            {},
            ...transitions.map(({ at, node, machine, text }) =>
              element('li', {}, element('time', { datetime: at }, at), ` ${node}, ${machine}: ${text}`),
            ),
          ),
        ]),
  ];
}

/**
 * @param {readonly Cause[]} causes
 * @returns {Child[]}
 */
function causeList(causes) {
  if (causes.length === 0) return [];
  return [
    element(
      'ul',
      { class: 'causes' },
      ...causes.map(({ text, field, remedy }) =>
        element(
          'li',
          {},
          text,
          field !== undefined && element('span', { class: 'quiet' }, ` (${field})`),
          remedy !== undefined && element('p', { class: 'remedy' }, `To change this: ${remedy}`),
        ),
      ),
    ),
  ];
}

/** @param {NodeExplanation} each */
function nodeItem({ node, notReached, layer2, bgp }) {
  const facts = [
    ...(notReached === undefined ? [] : [`its speaker was not reached: ${notReached}`]),
    ...(layer2 ? layer2Facts(layer2) : []),
    ...(bgp?.refusal ? [`not by BGP: ${bgp.refusal.reason}`] : []),
    ...(bgp?.peers ?? []).map(({ peer, state, announced, routes }) =>
      [
        `peer ${peer}: ${state}`,
        ...(routes.length === 0
          ? []
          : [`${announced ? 'sends' : 'would send'} ${routes.map(({ prefix }) => prefix).join(', ')}`]),
      ].join('; '),
    ),
  ];
  return element(
    'li',
    {},
    element('strong', {}, node),
    element('ul', {}, ...facts.map((fact) => element('li', {}, fact))),
  );
}

/**
 * @param {NonNullable<NodeExplanation['layer2']>} layer2
 * @returns {string[]}
 */
function layer2Facts({ eligible, refusal, links, ownerSince, unverifiedBy, usedBy }) {
  return [
    ...(ownerSince === undefined
      ? []
      : [`answers in layer 2 since ${ownerSince} on ${links?.join(', ') ?? 'its links'}`]),
    ...(unverifiedBy === undefined ? [] : [`no answer from it reaches ${unverifiedBy}`]),
    ...(usedBy === undefined ? [] : [`another host uses the address: ${usedBy}`]),
    ...(refusal ? [`not in layer 2: ${refusal.reason}`] : []),
    ...(eligible && ownerSince === undefined && usedBy === undefined
      ? [`may answer in layer 2 on ${links?.join(', ') ?? 'its links'}`]
      : []),
  ];
}
