/**
 * `make lab`: the lab of the demo with its Services `web` and `printer`, and a shell inside it. `on HOST COMMAND` runs a command on a host.
 * `kubectl` and `bellman` run on the control host, `birdc` on the router, and `curl` on the near client. The lab ends with the shell.
 */

import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { birdSocketPath, kubeconfigPath, Lab } from './lab.ts';
import { isKubernetes } from './start-api-server.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = '/run/lab/bin';

function script(name: string, ...lines: string[]): void {
  const path = join(bin, name);
  writeFileSync(path, `#!/bin/sh\n${lines.join('\n')}\n`);
  chmodSync(path, 0o755);
}

process.stdout.write('Bringing up three nodes, a router, two clients, a controller and three speakers …\n');
const lab = await Lab.start();
await lab.applyExample('config');
for (const service of ['web', 'printer']) {
  await lab.addPods(service, lab.fabric.nodes);
  await lab.applyExample(service);
  await lab.until(`${service} has addresses`, async () => (await lab.addressesOf(service)).length === 2);
}
const [web = ''] = await lab.addressesOf('web');
const [printer = ''] = await lab.addressesOf('printer');
// The commands suggested below must work at the first try.
await lab.until('web answers', () => lab.curl(lab.fabric.far, web).then(() => true));
await lab.until('printer answers', () => lab.curl(lab.fabric.near, printer).then(() => true));

mkdirSync(bin);
// The scripts of this folder choose the host on which a program runs. With `on`, the user chooses the host, so `on` takes this folder out of PATH.
script('on', 'host=$1; shift', `PATH='${process.env.PATH}' exec ip netns exec "$host" "$@"`);
script(
  'kubectl',
  `exec ip netns exec control /usr/bin/env -u LAB_SHELL "${lab.server.kubectl === 'kubectl' ? '$(command -v -p kubectl || echo /usr/bin/kubectl)' : lab.server.kubectl}" --kubeconfig ${kubeconfigPath} --cache-dir /run/lab/kube-cache "$@"`,
);
script('birdc', `exec ip netns exec router /usr/sbin/birdc -s ${birdSocketPath} "$@"`);
script(
  'bellman',
  `exec ip netns exec control env KUBECONFIG=${kubeconfigPath} "${join(root, 'bin/bellman')}" "$@"`,
);
script('curl', 'exec ip netns exec near /usr/bin/curl "$@"');
const environment = {
  PATH: `${bin}:${process.env.PATH}`,
  PS1: 'lab$ ',
  LAB_SHELL: '1',
  KUBECONFIG: kubeconfigPath,
};
writeFileSync(
  '/run/lab/environment',
  Object.entries(environment)
    .map(([name, value]) => `export ${name}='${value}'\n`)
    .join(''),
);

process.stdout.write(`
Hosts: node-1 node-2 node-3 near far router control. Six things to try:
  kubectl get services,events
  birdc show route ${web}/32 all
  on far curl -s http://${web}/
  on near arping -c 3 -I eth0 ${printer}
  kubectl -n bellman-system edit configmap config
  bellman status

Your own Services get an address at once. Bellman announces them once they have endpoints. ${
  isKubernetes
    ? `Kubernetes makes endpoints from Pods,
and the lab runs only the Pods of web and printer: let your Service select these.`
    : `The lab has no controller that creates
endpoints: apply an EndpointSlice like that of web.`
}

Logs are in /run/lab. Another terminal enters with: lab/enter ${process.env.BELLMAN_WORLD}
Leave with exit or Ctrl-D. Everything here ends with this shell.

`);
const shell = spawn('/bin/bash', ['--norc', '--noprofile'], {
  stdio: 'inherit',
  env: { ...process.env, ...environment },
});
// The terminal sends Ctrl-C to this process and to the shell. This process ignores it.
process.on('SIGINT', () => {});
shell.on('exit', (code) => {
  void lab.close().then(() => process.exit(code ?? 0));
});
