/** The script of the page, with a document that only records what the script draws. The tests in `test/page/` open the page in a browser. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { pageData } from '../../../src/page/view-model.ts';
import { largeCluster } from '../../support/page-cluster.ts';

const script = new URL('../../../src/page/browser/main.js', import.meta.url).href;
const unanswered = 'the process that serves this page does not answer';

type Listener = (event: { readonly target?: unknown }) => void;

/** An element whose `childNodes` is always empty. Each drawing therefore appends all children again, after those of earlier drawings. */
class RecordedElement {
  readonly childNodes: readonly never[] = [];
  readonly listeners = new Map<string, Listener>();
  readonly dataset: Record<string, string> = {};
  hidden = false;
  className = '';
  value = '';
  #drawn: unknown[] = [];

  get textContent(): string {
    return this.#drawn
      .map((each) => (each instanceof RecordedElement ? each.textContent : String(each)))
      .join('');
  }
  set textContent(text: string) {
    this.#drawn = [text];
  }
  append(...children: unknown[]): void {
    this.#drawn.push(...children);
  }
  addEventListener(kind: string, listener: Listener): void {
    this.listeners.set(kind, listener);
  }
  closest(): this {
    return this;
  }
  setAttribute(): void {}
  getAttribute(): null {
    return null;
  }
  showModal(): void {}
}

class RecordedText {
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  toString(): string {
    return this.#text;
  }
}

let loads = 0;

/** A page whose requests for data get the `answers` one after another. The last answer repeats. An answer that throws is a failed request. */
class Page {
  readonly #t: TestContext;
  readonly #elements = new Map<string, RecordedElement>();
  answers: readonly (() => Response)[] = [];
  explanation: () => Response = () => new Response('{}');
  requests = 0;

  constructor(t: TestContext) {
    this.#t = t;
    t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'] });
    const globals: Record<string, unknown> = {
      Element: RecordedElement,
      Text: RecordedText,
      document: {
        visibilityState: 'visible',
        getElementById: (id: string) => this.element(id),
        createElement: () => new RecordedElement(),
        addEventListener: () => {},
      },
      fetch: async (path: string) => {
        if (path !== 'data') return this.explanation();
        const answer = this.answers[Math.min(this.requests++, this.answers.length - 1)];
        return answer?.();
      },
    };
    const before = Object.entries(Object.getOwnPropertyDescriptors(globalThis)).filter(
      ([name]) => name in globals,
    );
    for (const [name, value] of Object.entries(globals))
      Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    t.after(() => {
      for (const name of Object.keys(globals)) Reflect.deleteProperty(globalThis, name);
      Object.defineProperties(globalThis, Object.fromEntries(before));
    });
  }

  element(id: string): RecordedElement {
    const found = this.#elements.get(id) ?? new RecordedElement();
    this.#elements.set(id, found);
    return found;
  }

  get alert(): string {
    return this.element('alert').hidden ? '' : this.element('alert').textContent;
  }

  async load(...answers: readonly (() => Response)[]): Promise<void> {
    this.answers = answers;
    await import(`${script}?${++loads}`);
    await this.settle();
  }

  async nextPoll(): Promise<void> {
    const before = this.requests;
    this.#t.mock.timers.tick(5000);
    await this.settle();
    assert.equal(this.requests, before + 1, 'the page polls');
  }

  /** Lets all work run that waits for no timer. */
  async settle(): Promise<void> {
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
  }
}

const cluster = JSON.stringify(pageData(largeCluster({ services: 20, nodes: 2, faulty: false }), '1.2.3'));
const data = () =>
  new Response(cluster, { headers: { etag: 'a', 'x-collected-at': '2026-01-02T03:04:05Z' } });
const collecting = () => new Response(null, { status: 202 });
const fails = (): never => {
  throw new TypeError('Failed to fetch');
};

test('the alert about a process that does not answer disappears as soon as the process answers, even while the process still collects the first data', async (t) => {
  const page = new Page(t);
  await page.load(fails, collecting);
  assert.ok(page.alert.includes(unanswered), page.alert);
  await page.nextPoll();
  assert.equal(page.alert, '');
});

test('a fault while the page is drawn shows in the alert, and the page goes on to poll', async (t) => {
  const page = new Page(t);
  let isFaulty = true;
  const pools = page.element('pools-body');
  pools.append = () => {
    if (isFaulty) throw new RangeError('a fault');
  };
  await page.load(data);
  assert.match(page.alert, /a fault/);
  isFaulty = false;
  await page.nextPoll();
  assert.equal(page.alert, '');
});

test('only a failed request is reported as a process that does not answer', async (t) => {
  const page = new Page(t);
  await page.load(() => new Response('{'));
  assert.notEqual(page.alert, '');
  assert.ok(!page.alert.includes(unanswered), page.alert);
  const button = new RecordedElement();
  button.dataset.explain = 'team-7/service-7';
  const body = page.element('explanation-body');
  for (const [answer, isUnanswered] of [
    [fails, true],
    [() => new Response('{'), false],
    [() => new Response('{}'), false],
  ] as const) {
    body.textContent = '';
    page.explanation = answer;
    page.element('services-body').listeners.get('click')?.({ target: button });
    await page.settle();
    assert.equal(body.textContent.includes(unanswered), isUnanswered, body.textContent);
  }
});

test('the first table of Services follows the filters of the form, which a browser may have restored', async (t) => {
  const page = new Page(t);
  const [first, second] = (JSON.parse(cluster) as { addresses: { service: string }[] }).addresses;
  assert.ok(first && second && first.service !== second.service);
  page.element('services-search').value = first.service;
  page.element('services-state').value = 'all';
  await page.load(data);
  const { textContent } = page.element('services-body');
  assert.ok(textContent.includes(first.service) && !textContent.includes(second.service), textContent);
});

test('the explanation names the routes of a peer only if there are any', async (t) => {
  const page = new Page(t);
  const peers = [
    { peer: 'a', state: 'Established', announced: true, routes: [] },
    { peer: 'b', state: 'Active', announced: false, routes: [{ prefix: '192.0.2.1/32' }] },
  ];
  const address = { address: '192.0.2.1', protocols: ['bgp'], verdict: 'announced', summary: '', causes: [] };
  const addresses = [{ ...address, nodes: [{ node: 'node-1', bgp: { peers } }], transitions: [] }];
  page.explanation = () => new Response(JSON.stringify({ verdict: 'announced', causes: [], addresses }));
  await page.load(data);
  const button = new RecordedElement();
  button.dataset.explain = 'team-7/service-7';
  page.element('services-body').listeners.get('click')?.({ target: button });
  await page.settle();
  assert.match(
    page.element('explanation-body').textContent,
    /peer a: Establishedpeer b: Active; would send 192\.0\.2\.1\/32$/,
  );
});
