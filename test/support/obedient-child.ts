/** A child process for tests of `src/child-process/`. It does what the messages of its parent say. */
import { sendToParent, serveParent } from '../../src/child-process/parent-process.ts';

export type ToObedientChild =
  /** Answers with the text and the arguments of the process. */
  | { readonly kind: 'repeat'; readonly id: number; readonly text: string }
  /** Never answers. */
  | { readonly kind: 'keep-silent'; readonly id: number }
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'throw' }
  /** Takes no further messages. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'stop' };

export type FromObedientChild =
  | { readonly kind: 'started'; readonly pid: number }
  | { readonly kind: 'repeated'; readonly id: number; readonly text: string };

sendToParent({ kind: 'started', pid: process.pid } satisfies FromObedientChild);

serveParent<ToObedientChild>(
  (message) => {
    switch (message.kind) {
      case 'repeat': {
        const text = [message.text, ...process.argv.slice(2)].join(' ');
        return sendToParent({ kind: 'repeated', id: message.id, text } satisfies FromObedientChild);
      }
      case 'exit':
        return process.exit(message.code);
      case 'throw':
        return Promise.reject(new Error('on demand'));
      case 'hang':
        return new Promise<void>(() => setInterval(() => {}, 1000));
    }
  },
  { kind: 'stop' },
);
