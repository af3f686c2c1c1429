/**
 * Headless Chromium, driven over the Chrome DevTools Protocol on two pipes. Each message is one JSON object and a zero octet. The tests need a
 * dozen commands of the protocol, so this file takes the place of a library with a hundred packages.
 */
import { type ChildProcess, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { type Host, ownHost } from '../../lab/processes.ts';
import { eventually } from './eventually.ts';

export interface Screen {
  readonly width: number;
  readonly height: number;
  readonly scheme: 'light' | 'dark';
  readonly isPhone?: boolean;
}

/** Why Chromium cannot be used here; `false` when it can. For the option `skip` of a test. */
export function missingChromium(): string | false {
  return spawnSync('chromium', ['--version']).error
    ? 'Chromium is not installed; make page-test installs it'
    : false;
}

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: {
    readonly exceptionDetails?: unknown;
    readonly entry?: unknown;
    readonly args?: unknown;
  };
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

export class Chromium {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>();
  /** Exceptions, messages of the console, and entries of the log, such as violations of the Content Security Policy. Each is JSON. */
  readonly #complaints: string[] = [];
  #session = '';
  #lastId = 0;
  #rest = '';

  private constructor(host: Host) {
    this.#profile = mkdtempSync(join(tmpdir(), 'bellman-chromium-'));
    this.#process = host.spawn(
      'chromium',
      [
        ...['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'],
        ...['--disable-background-networking', '--disable-component-update', '--disable-extensions'],
        ...['--force-color-profile=srgb', '--remote-debugging-pipe', `--user-data-dir=${this.#profile}`],
        'about:blank',
      ],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
    );
    (this.#process.stdio[4] as Readable).setEncoding('utf8').on('data', (text: string) => this.#take(text));
    this.#process.on('exit', () => {
      for (const { reject } of this.#pending.values()) reject(new Error('Chromium has ended'));
      this.#pending.clear();
    });
    // A call at the very end of Chromium fails to write. The event `exit` rejects the call.
    (this.#process.stdio[3] as Writable).on('error', () => undefined);
  }

  /** Starts Chromium on a host, with one empty page. */
  static async start(host: Host = ownHost): Promise<Chromium> {
    const chromium = new Chromium(host);
    const { targetInfos } = await chromium.#call<{
      targetInfos: { targetId: string; type: string }[];
    }>('Target.getTargets');
    const target = targetInfos.find(({ type }) => type === 'page');
    const { sessionId } = await chromium.#call<{ sessionId: string }>('Target.attachToTarget', {
      targetId: target?.targetId,
      flatten: true,
    });
    chromium.#session = sessionId;
    for (const domain of ['Page', 'Runtime', 'Log']) await chromium.#call(`${domain}.enable`);
    return chromium;
  }

  async close(): Promise<void> {
    if (!this.#hasEnded()) {
      const gone = new Promise((resolve) => this.#process.once('exit', resolve));
      void this.#call('Browser.close').catch(() => undefined);
      await gone;
    }
    rmSync(this.#profile, { recursive: true, force: true });
  }

  /** The complaints of the browser since the last call. */
  complaints(): string[] {
    return this.#complaints.splice(0);
  }

  async show({ width, height, scheme, isPhone = false }: Screen): Promise<void> {
    await this.#call('Emulation.setDeviceMetricsOverride', {
      ...{ width, height, deviceScaleFactor: 1, mobile: isPhone },
    });
    await this.#call('Emulation.setEmulatedMedia', {
      features: [{ name: 'prefers-color-scheme', value: scheme }],
    });
  }

  async open(url: string): Promise<void> {
    await this.#call('Page.navigate', { url });
  }

  /** Evaluates an expression in the page. Its value must be JSON. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.#call<{
      result: { value: T };
      exceptionDetails?: { text: string; exception?: { description?: string } };
    }>('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    if (exceptionDetails)
      throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  }

  /** Waits until an expression is true in the page. */
  async until(what: string, expression: string): Promise<void> {
    await eventually(what, () => this.evaluate<boolean>(`Boolean(${expression})`));
  }

  /** The text of an element as it is shown. */
  textOf(selector: string): Promise<string> {
    return this.evaluate<string>(`document.querySelector(${JSON.stringify(selector)}).innerText`);
  }

  /** Moves the pointer to the middle of the element and clicks. Throws if another element covers it. */
  async click(selector: string): Promise<void> {
    const { x, y, isHit } = await this.evaluate<{ x: number; y: number; isHit: boolean }>(`(() => {
      const target = document.querySelector(${JSON.stringify(selector)});
      target.scrollIntoView({ block: 'center', behavior: 'instant' });
      const { left, top, width, height } = target.getBoundingClientRect();
      const [x, y] = [left + width / 2, top + height / 2];
      const hit = document.elementFromPoint(x, y);
      return { x, y, isHit: target === hit || target.contains(hit) };
    })()`);
    if (!isHit) throw new Error(`another element covers ${selector}`);
    for (const type of ['mousePressed', 'mouseReleased'])
      await this.#call('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 });
  }

  async type(text: string): Promise<void> {
    await this.#call('Input.insertText', { text });
  }

  /** Presses a key. */
  async press(key: 'Tab' | 'Enter' | 'Escape'): Promise<void> {
    const code = { Tab: 9, Enter: 13, Escape: 27 }[key];
    const common = { key, code: key, windowsVirtualKeyCode: code };
    const text = key === 'Enter' ? { text: '\r' } : {};
    await this.#call('Input.dispatchKeyEvent', { type: 'keyDown', ...common, ...text });
    await this.#call('Input.dispatchKeyEvent', { type: 'keyUp', ...common });
  }

  /** Writes a PNG of what is on the screen, or of the whole page. */
  async screenshot(file: string, isWhole = false): Promise<void> {
    const { data } = await this.#call<{ data: string }>('Page.captureScreenshot', {
      captureBeyondViewport: isWhole,
    });
    writeFileSync(file, Buffer.from(data, 'base64'));
  }

  #hasEnded(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  #call<T>(method: string, params: object = {}): Promise<T> {
    if (this.#hasEnded()) return Promise.reject(new Error('Chromium has ended'));
    const id = ++this.#lastId;
    const answer = Promise.withResolvers<unknown>();
    this.#pending.set(id, answer);
    const session = this.#session === '' ? {} : { sessionId: this.#session };
    (this.#process.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    return answer.promise as Promise<T>;
  }

  #take(text: string): void {
    const messages = `${this.#rest}${text}`.split('\0');
    this.#rest = messages.pop() ?? '';
    for (const message of messages) this.#receive(JSON.parse(message) as Answer);
  }

  #receive({ id, method = '', params, result, error }: Answer): void {
    if (id === undefined) {
      if (['Runtime.exceptionThrown', 'Runtime.consoleAPICalled', 'Log.entryAdded'].includes(method))
        this.#complaints.push(JSON.stringify(params));
      return;
    }
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error) pending?.reject(new Error(error.message));
    else pending?.resolve(result);
  }
}
