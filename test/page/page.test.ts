/** The web page in headless Chromium, for a cluster of 10,000 Services and 40 nodes in which some things are at fault. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { systemClock } from '../../src/clock.ts';
import { type PageServer, servePage } from '../../src/page/local/server.ts';
import { PageService } from '../../src/page/page-service.ts';
import { dataReply, type KeptSnapshot, problemReply, reply } from '../../src/page/replies.ts';
import { pageData } from '../../src/page/view-model.ts';
import type { Explanation } from '../../src/report/explain/explanation.ts';
import { accessibilityFaults } from '../support/accessibility.ts';
import { Chromium, missingChromium, type Screen } from '../support/chromium.ts';
import { hostileName, largeCluster } from '../support/page-cluster.ts';
import { keepShot } from '../support/shots.ts';

const screens: Readonly<Record<string, Screen>> = {
  'desk-light': { width: 1280, height: 900, scheme: 'light' },
  'desk-dark': { width: 1280, height: 900, scheme: 'dark' },
  'phone-light': { width: 390, height: 844, scheme: 'light', isPhone: true },
  'phone-dark': { width: 390, height: 844, scheme: 'dark', isPhone: true },
};

function snapshotOf(faulty: boolean): KeptSnapshot {
  const json = JSON.stringify(pageData(largeCluster({ services: 10_000, nodes: 40, faulty }), '1.2.3'));
  return {
    tag: createHash('sha256').update(json).digest('base64url'),
    collectedAt: new Date(systemClock.epochMs()).toISOString(),
    octets: gzipSync(json),
  };
}

const explanation: Explanation = {
  version: 1,
  subject: 'team-7/service-7',
  service: 'team-7/service-7',
  verdict: 'not announced',
  causes: [],
  addresses: [
    {
      ...{ address: '10.64.0.8', pool: 'public', protocols: ['bgp'], verdict: 'not announced' },
      summary: 'not announced: the session with peer 192.0.2.1 is not up at node-2',
      causes: [
        {
          text: 'peer 192.0.2.1 at node-2: the session is not up: Bad Peer AS',
          field: 'ConfigMap peers[]',
          remedy: 'correct peer-asn, or the AS number of the router',
        },
      ],
      nodes: [
        {
          node: 'node-2',
          bgp: {
            eligible: true,
            peers: [
              {
                ...{ peer: '192.0.2.1', announced: false, carried: false, state: 'Active', warnings: [] },
                routes: [{ prefix: '10.64.0.8/32' }],
              },
            ],
          },
        },
        {
          node: 'node-3',
          layer2: {
            eligible: false,
            refusal: { cause: 'no-protocol', reason: 'pool public is not announced in layer 2' },
          },
        },
      ],
      transitions: [
        {
          at: '2026-01-02T03:04:05.000Z',
          node: 'node-2',
          machine: 'peer 192.0.2.1',
          text: 'the session ends',
        },
      ],
    },
  ],
};

describe('the page', { skip: missingChromium(), concurrency: false }, () => {
  let chromium: Chromium;
  let server: PageServer;
  let shown: KeptSnapshot;
  let failure: string | undefined;
  const asked: string[] = [];
  const files = new PageService({
    logger: pino({ level: 'silent' }),
    clock: systemClock,
    processOptions: () => assert.fail('no process may start'),
    unavailable: () => undefined,
  });
  let faulty: KeptSnapshot;
  let sound: KeptSnapshot;

  before(async () => {
    [faulty, sound] = [snapshotOf(true), snapshotOf(false)];
    shown = faulty;
    server = await servePage({
      ...{ port: 0, key: 'key', leader: { get: async () => undefined } },
      own: {
        reply: async (request) => {
          if (request.path === 'data') return dataReply(shown, failure, request);
          if (request.path !== 'explain') return files.reply(request);
          const service = request.query.get('service') ?? '';
          asked.push(service);
          return service === 'team-7/service-7'
            ? reply(200, { 'content-type': 'application/json' }, JSON.stringify(explanation))
            : problemReply(503, 'the page process does not answer');
        },
      },
    });
    chromium = await Chromium.start();
  });
  after(async () => {
    await chromium?.close();
    await server?.close();
  });
  beforeEach(async () => {
    shown = faulty;
    failure = undefined;
    await open(screens['desk-light']);
  });

  async function open(screen: Screen | undefined) {
    assert.ok(screen);
    await chromium.show(screen);
    await chromium.open('about:blank');
    await chromium.open(`http://127.0.0.1:${server.port}/key/`);
    await chromium.until('the page is drawn', 'document.querySelector("#services-body table")');
  }

  const rows = () =>
    chromium.evaluate<string[]>(
      '[...document.querySelectorAll("#services-body tbody th")].map((each) => each.innerText)',
    );
  const count = () => chromium.textOf('#services-body .pager p');
  const scrollTo = (id: string) =>
    chromium.evaluate(`document.getElementById('${id}').scrollIntoView({ behavior: 'instant' })`);

  for (const [name, screen] of Object.entries(screens))
    test(`has no accessibility fault and no sideways scrolling on ${name}`, async () => {
      await open(screen);
      assert.deepEqual(await accessibilityFaults(chromium), []);
      assert.ok(await chromium.evaluate('document.documentElement.scrollWidth <= innerWidth'));
      for (const part of ['problems', 'services', 'nodes', 'sessions', 'pools']) {
        await scrollTo(part);
        await keepShot(chromium, `${name}-${part}`);
      }
      await chromium.evaluate('scrollTo({ top: 0, behavior: "instant" })');
      await keepShot(chromium, `${name}-top`);
      await chromium.click('[data-explain="team-7/service-7"]');
      await chromium.until('the explanation', 'document.querySelector("#explanation h3")');
      assert.deepEqual(await accessibilityFaults(chromium), []);
      await keepShot(chromium, `${name}-explanation`);
      assert.deepEqual(chromium.complaints(), []);
    });

  test('lists what is wrong, and counts it in the summary and in the title', async () => {
    assert.match(await chromium.textOf('#summary'), /15 problems/);
    assert.equal(await chromium.evaluate('document.title'), '15 problems – Bellman');
    const problems = await chromium.textOf('#problems-body');
    for (const text of [
      'stale (accepted',
      '10.65.0.0/33 is not a prefix',
      'the speaker of node node-40 was not reached',
      'peer 192.0.2.1 at node-2: the session is not up',
      'Service team-7/service-7 waits for an address',
      '10.65.0.2 of Service team-4/service-50: node-3: no answer from it reaches node-1',
    ])
      assert.ok(problems.includes(text), text);
    assert.match(await chromium.textOf('a[href="#services"]'), /10,000 addresses\s+12 not as desired/);
    assert.match(await chromium.textOf('a[href="#nodes"]'), /40 nodes\s+2 not as desired/);
  });

  test('shows 50 of 10,000 Services at a time, and finds one of them', async () => {
    assert.equal(await count(), '1 to 50 of 10,000 addresses');
    assert.equal((await rows()).length, 50);
    await chromium.click('#services-body [data-page="1"]');
    assert.equal(await count(), '51 to 100 of 10,000 addresses');
    await chromium.click('#services-body [data-page="199"]');
    assert.equal(await count(), '9,951 to 10,000 of 10,000 addresses');
    await chromium.click('#services-search');
    await chromium.type('team-1/service-9999 public');
    await chromium.until('no row', 'document.querySelectorAll("#services-body tbody tr").length === 0');
    assert.equal(await count(), 'No addresses');
    await chromium.evaluate('document.getElementById("services-search").select()');
    await chromium.type('SERVICE-9999');
    await chromium.until('one row', 'document.querySelectorAll("#services-body tbody tr").length === 1');
    assert.equal(await count(), '1 to 1 of 1 addresses');
  });

  test('orders the Services by a column, in both directions', async () => {
    assert.match(await chromium.textOf('#services-body tbody tr'), /waiting/);
    await chromium.click('[data-sort="service"]');
    assert.equal((await rows())[0], 'team-0/service-0');
    assert.equal(
      await chromium.evaluate('document.querySelector("[aria-sort]").getAttribute("aria-sort")'),
      'ascending',
    );
    await chromium.click('[data-sort="service"]');
    assert.equal((await rows())[0], 'team-22/service-9981');
  });

  test('shows HTML in the name of a Service as text', async () => {
    await chromium.click('#services-search');
    await chromium.type('onerror');
    await chromium.until('one row', 'document.querySelectorAll("#services-body tbody tr").length === 1');
    assert.deepEqual(await rows(), [`team-8/${hostileName}`]);
    assert.equal(await chromium.evaluate('document.querySelectorAll("img[src=x]").length'), 0);
    assert.equal(await chromium.evaluate('document.title'), '15 problems – Bellman');
    await chromium.click('#services-body tbody button');
    await chromium.until('the fault', 'document.querySelector("#explanation .fault")');
    assert.equal(await chromium.textOf('#explanation-title'), `team-8/${hostileName}`);
    assert.equal(asked.at(-1), `team-8/${hostileName}`);
  });

  test('explains a Service in a dialog that the keyboard opens and closes', async () => {
    await chromium.evaluate('document.querySelector(`[data-explain="team-7/service-7"]`).focus()');
    await chromium.press('Enter');
    await chromium.until('the explanation', 'document.querySelector("#explanation h3")');
    const text = await chromium.textOf('#explanation');
    for (const part of [
      'Bad Peer AS',
      'To change this: correct peer-asn',
      'would send 10.64.0.8/32',
      'the session ends',
    ])
      assert.ok(text.includes(part), part);
    await chromium.press('Escape');
    assert.equal(await chromium.evaluate('document.getElementById("explanation").open'), false);
    assert.equal(await chromium.evaluate('document.activeElement.dataset.explain'), 'team-7/service-7');
  });

  test('begins with a link to what is wrong', async () => {
    await chromium.press('Tab');
    assert.equal(await chromium.evaluate('document.activeElement.className'), 'skip');
    await chromium.press('Enter');
    await chromium.until('the focus moves', 'document.activeElement.id === "problems"');
  });

  test('follows the cluster, and keeps the focus and the selected text of the viewer', async () => {
    await chromium.click('#services-search');
    await chromium.type('service-7');
    await chromium.evaluate('document.getElementById("services-search").setSelectionRange(2, 5)');
    shown = sound;
    await chromium.until(
      'the new state',
      'document.querySelector("#summary").innerText.includes("as desired")',
    );
    assert.match(await chromium.textOf('#problems-body'), /Nothing is wrong/);
    assert.deepEqual(
      await chromium.evaluate(
        '[document.activeElement.id, document.activeElement.value, document.activeElement.selectionStart, document.activeElement.selectionEnd]',
      ),
      ['services-search', 'service-7', 2, 5],
    );
    assert.equal(await chromium.evaluate('document.title'), 'Bellman');
    await keepShot(chromium, 'desk-light-sound');
  });

  test('says that its data is old when the data cannot be renewed', async () => {
    failure = 'the API server does not answer';
    await chromium.until('the alert', '!document.getElementById("alert").hidden');
    assert.equal(
      await chromium.textOf('#alert'),
      'The state of the cluster cannot be read: the API server does not answer. What you see is old.',
    );
    assert.equal((await rows()).length, 50);
    await keepShot(chromium, 'desk-light-failure');
    failure = undefined;
    await chromium.until('no alert', 'document.getElementById("alert").hidden');
  });

  test('asks for nothing while it is hidden', async () => {
    await chromium.evaluate(`
      Object.defineProperty(document, 'visibilityState', { get: () => globalThis.isHidden ? 'hidden' : 'visible' });
      globalThis.asked = 0;
      const before = fetch;
      globalThis.fetch = (...args) => { globalThis.asked++; return before(...args); };
      globalThis.isHidden = true;
    `);
    await new Promise((resolve) => setTimeout(resolve, 7000));
    assert.equal(await chromium.evaluate('globalThis.asked'), 0);
    await chromium.evaluate(
      'globalThis.isHidden = false; document.dispatchEvent(new Event("visibilitychange"))',
    );
    await chromium.until('a request', 'globalThis.asked === 1');
  });
});
