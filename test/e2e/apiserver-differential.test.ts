/**
 * The embedded API server and Kubernetes give the same answers. A file holds the answers of the newest version of Kubernetes. `make test`
 * compares the embedded server with this file, and `make kubernetes` compares Kubernetes with it. With BELLMAN_RECORD=1, `make kubernetes` writes the
 * file, if every conversation succeeds.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ownHost, Processes } from '../../lab/processes.ts';
import { isKubernetes, startApiServer } from '../../lab/start-api-server.ts';
import { conversation } from '../support/api-conversation/conversation.ts';
import { type ServerAccess, send } from '../support/api-conversation/server.ts';
import { comparable } from '../support/comparable-answer.ts';

const file = fileURLToPath(new URL('./apiserver-answers.json', import.meta.url));
const isRecording = isKubernetes && process.env.BELLMAN_RECORD === '1';

/** Requests that older versions answer in another way. The number N stands for Kubernetes 1.N, the first version with the answer of the file. */
const newerAnswers: Readonly<Record<string, number>> = {
  // Kubernetes 1.36 is the first version with the feature gate StrictIPCIDRValidation on by default.
  'leading zeros': 36,
};

let folder = '';
/** The minor version of the server. The embedded server is as new as the file. */
let minorVersion = Number.POSITIVE_INFINITY;
let processes: Processes;
let access: ServerAccess;
let recorded: Record<string, Record<string, unknown>> = {};

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bellman-differential-'));
  processes = new Processes(folder);
  const embeddedFlags = ['--tls', '--token', 'lab'];
  const server = await startApiServer({
    processes,
    host: ownHost,
    address: '127.0.0.1',
    folder,
    embeddedFlags,
  });
  const { users } = JSON.parse(await readFile(server.kubeconfig, 'utf8')) as {
    users: [{ user: { token: string } }];
  };
  access = { url: server.url, certificate: server.certificate, token: users[0].user.token };
  if (isKubernetes) {
    const { body } = await send(access, 'GET', '/version');
    minorVersion = Number((body as { readonly minor: string }).minor);
  }
  if (!isRecording) recorded = JSON.parse(await readFile(file, 'utf8')) as typeof recorded;
});
after(async () => {
  if (isRecording && Object.keys(conversation).every((title) => title in recorded))
    await writeFile(file, `${JSON.stringify(recorded, null, 1)}\n`);
  await processes.stopAll();
  await rm(folder, { recursive: true });
});

for (const [title, talk] of Object.entries(conversation))
  test(title, async (context) => {
    const answers = new Map<string, unknown>();
    await talk(async (name, ...request) => {
      const answer = await send(access, ...request);
      assert.ok(!answers.has(name), `two requests are called ${name}`);
      // The file was written as JSON, which has no `undefined`.
      answers.set(name, JSON.parse(JSON.stringify(comparable(answer))));
      return answer;
    });
    if (isRecording) {
      recorded[title] = Object.fromEntries(answers);
      return;
    }
    const expected = recorded[title] ?? {};
    assert.deepEqual([...answers.keys()], Object.keys(expected), 'the file has these requests');
    for (const [name, answer] of answers)
      await context.test(name, () =>
        minorVersion >= (newerAnswers[name] ?? 0)
          ? assert.deepEqual(answer, expected[name])
          : assert.notDeepEqual(answer, expected[name], 'the older version answers in another way'),
      );
  });
