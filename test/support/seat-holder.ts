import { request } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Occupies a seat of a priority level of kube-apiserver, by a request whose body never comes. The server waits up to a minute for the body. A
 * level without seats of its own serves one request at a time, and refuses all others meanwhile.
 */
export class SeatHolder {
  readonly #options: { readonly url: string; readonly certificate: string; readonly token: string };
  #isStopped = false;
  #release = () => {};
  readonly #done: Promise<void>;

  /** The token must permit the creation of a ConfigMap in the namespace. */
  constructor(
    options: { readonly url: string; readonly certificate: string; readonly token: string },
    namespace: string,
  ) {
    this.#options = options;
    this.#done = this.#hold(`/api/v1/namespaces/${namespace}/configmaps`);
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    this.#release();
    return this.#done;
  }

  /** Sends the request again whenever it ends: the server refuses it while another request has the seat, and gives up when no body comes. */
  async #hold(path: string): Promise<void> {
    const { url, certificate, token } = this.#options;
    while (!this.#isStopped) {
      await new Promise<void>((resolve) => {
        const headers = {
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
          'content-length': 100,
        };
        const outgoing = request(url + path, { method: 'POST', ca: certificate, headers, agent: false });
        outgoing.once('response', (response) => response.destroy());
        outgoing.once('error', () => resolve());
        outgoing.once('close', () => resolve());
        outgoing.flushHeaders();
        this.#release = () => outgoing.destroy();
      });
      await sleep(20);
    }
  }
}
