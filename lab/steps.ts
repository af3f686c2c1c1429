/**
 * The steps of the demo. The end-to-end tests run the same steps and require every check to hold. Each step leaves the lab in the state
 * that the next step expects.
 */
import type { LabNode } from './fabric.ts';
import type { Lab } from './lab.ts';
import type { Tour } from './tour.ts';

export interface Step {
  readonly title: string;
  readonly run: (lab: Lab, tour: Tour) => Promise<void>;
}

const configMap = ['configmap', 'config', '-n', 'bellman-system'];

export const steps: readonly Step[] = [
  {
    title: 'Three nodes, a router running BIRD, a controller and three speakers: BGP comes up',
    async run(lab, tour) {
      tour.show('control', 'kubectl apply -f config.yaml', await lab.applyExample('config'));
      await tour.check('the router has three established sessions', 'router', 'birdc show protocols', {
        run: async () => (await lab.birdc('show', 'protocols')).replace(/^[\s\S]*?(?=Name)/, ''),
        holds: (output) => count(output, /Established/g) === lab.fabric.nodes.length,
      });
    },
  },
  {
    title: 'Service web, dual stack, pool public: every node announces it by BGP',
    async run(lab, tour) {
      await lab.addPods('web', lab.fabric.nodes);
      tour.show('control', 'kubectl apply -f web.yaml', await lab.applyExample('web'));
      const [v4, v6] = await assigned(lab, tour, 'web');
      for (const prefix of [`${v4}/32`, `${v6}/128`])
        await tour.check(`BIRD has three next hops for ${prefix}`, 'router', `birdc show route ${prefix}`, {
          run: async () => (await lab.birdc('show', 'route', prefix)).replace(/^[\s\S]*?(?=Table)/, ''),
          holds: (output) => count(output, /\bvia\b/g) === lab.fabric.nodes.length,
        });
      for (const address of [v4, v6])
        await tour.check(
          'pods on different nodes answer the far client',
          'far',
          `for i in $(seq 12); do curl -s http://${host(address)}/; done`,
          {
            run: () => answers(lab, address, 12),
            holds: (output) =>
              new Set(output.match(/on node-\d+/g)).size > 1 && count(output, /on node/g) === 12,
          },
        );
    },
  },
  {
    title: 'Service printer, dual stack, pool office: one node answers ARP and NDP for it',
    async run(lab, tour) {
      await lab.addPods('printer', lab.fabric.nodes);
      tour.show('control', 'kubectl apply -f printer.yaml', await lab.applyExample('printer'));
      const both = await assigned(lab, tour, 'printer');
      const { near } = lab.fabric;
      for (const address of both)
        await tour.check('the near client gets an answer', 'near', `curl -s http://${host(address)}/`, {
          run: () => lab.curl(near, address),
          holds: (output) => /printer-\d+ on node/.test(output),
        });
      const macs = await nodesByMac(lab);
      await tour.check(
        'both addresses resolve to one node',
        'near',
        `ip neigh | grep -E '${both.join('|')}'`,
        {
          run: async () =>
            (await Promise.all(both.map((address) => near.ip('neigh', 'show', address)))).join(''),
          holds: (output) => {
            const owners = [...output.matchAll(/lladdr (\S+)/g)].map(([, mac]) => macs.get(mac ?? ''));
            return owners.length === both.length && new Set(owners).size === 1 && owners[0] !== undefined;
          },
        },
      );
    },
  },
  {
    title: 'The node that answers for printer dies suddenly: another node takes over',
    async run(lab, tour) {
      const [v4 = '', v6 = ''] = await lab.addressesOf('printer');
      const owner = await ownerOf(lab, v4);
      if (!owner) return tour.verdict('a node answers for printer', false);
      const prober = lab.probe(lab.fabric.near, v4);
      await prober.ready;
      await lab.killNode(owner);
      const killedAtMs = Date.now();
      tour.show(owner.name, 'kill -9 the speaker and drop arriving traffic', '');
      for (const address of [v4, v6])
        await tour.check(
          `another node answers for ${address}`,
          'near',
          `curl -s http://${host(address)}/ && ip neigh show ${address}`,
          {
            run: async () =>
              (await lab.curl(lab.fabric.near, address)) +
              (await lab.fabric.near.ip('neigh', 'show', address)),
            holds: (output) => output.includes('printer-') && /lladdr/.test(output),
          },
        );
      const after = await ownerOf(lab, v4);
      tour.verdict(
        `the owner changed from ${owner.name} to ${after?.name ?? 'no node'}`,
        after !== undefined && after !== owner,
      );
      const { asked, answered, longestGapMs, lastAnsweredSentAtMs } = await prober.stop();
      tour.show(
        'near',
        `probe http://${v4}/ every 10 ms`,
        `${answered} of ${asked} answered, longest gap ${longestGapMs} ms`,
      );
      tour.verdict(
        `the client had no answer for ${longestGapMs} ms, and has answers again`,
        lastAnsweredSentAtMs > killedAtMs,
      );
      await tour.check(
        'an event on the Service names the new node',
        'control',
        'kubectl get events --field-selector reason=NodeAssigned',
        {
          run: () => lab.kubectl('get', 'events', '--field-selector', 'reason=NodeAssigned'),
          holds: (output) => after !== undefined && output.includes(`node ${after.name} answers for ${v4}`),
        },
      );
    },
  },
  {
    title: 'A broken edit of the configuration: the cluster keeps working and reports the errors',
    async run(lab, tour) {
      tour.show('control', 'kubectl apply -f config-broken.yaml', await lab.applyExample('config-broken'));
      await tour.check(
        'annotations mark the ConfigMap stale and locate each error',
        'control',
        `kubectl get ${configMap.join(' ')} -o yaml | grep config-`,
        {
          run: () =>
            lab.kubectl(
              'get',
              ...configMap,
              '-o',
              'jsonpath={.metadata.annotations.bellman\\.dev/config-status}: {.metadata.annotations.bellman\\.dev/config-error}',
            ),
          holds: (output) =>
            output.startsWith('stale: ') &&
            output.includes('address-pools[1].protocol') &&
            output.includes('192.0.2.300'),
        },
      );
      await tour.check(
        'an event reports it',
        'control',
        'kubectl get events -n bellman-system --field-selector reason=ConfigStale',
        {
          run: () =>
            lab.kubectl('get', 'events', '-n', 'bellman-system', '--field-selector', 'reason=ConfigStale'),
          holds: (output) => output.includes('not accepted'),
        },
      );
      await tour.check('the log reports it', 'control', 'kubectl logs deployment/controller | grep error', {
        run: () =>
          Promise.resolve(
            lab
              .log('controller')
              .split('\n')
              .filter((line) => line.includes('"level":"error"'))
              .join('\n'),
          ),
        holds: (output) => count(output, /192\.0\.2\.300/g) === 1,
      });
      for (const [service, client] of [
        ['web', 'far'],
        ['printer', 'near'],
      ] as const)
        for (const address of await lab.addressesOf(service))
          await tour.check(`${service} still answers`, client, `curl -s http://${host(address)}/`, {
            run: () => lab.curl(lab.fabric[client], address),
            holds: (output) => output.includes(`${service}-`),
          });
      tour.show('control', 'kubectl apply -f late.yaml', await lab.applyExample('late'));
      await assigned(lab, tour, 'late');
      tour.show('control', 'kubectl apply -f config.yaml', await lab.applyExample('config'));
      await tour.check(
        'the configuration is active again',
        'control',
        `kubectl get ${configMap.join(' ')} -o yaml | grep config-status`,
        {
          run: () =>
            lab.kubectl(
              'get',
              ...configMap,
              '-o',
              'jsonpath={.metadata.annotations.bellman\\.dev/config-status} {.metadata.annotations.bellman\\.dev/config-error}',
            ),
          holds: (output) => output.trim() === 'active',
        },
      );
    },
  },
  {
    title: 'Service web is deleted: the routes disappear',
    async run(lab, tour) {
      const both = await lab.addressesOf('web');
      tour.show('control', 'kubectl delete service web', await lab.kubectl('delete', 'service', 'web'));
      await tour.check('BIRD has no route to web', 'router', 'birdc show route where source = RTS_BGP', {
        run: async () =>
          (await lab.birdc('show', 'route', 'where', 'source', '=', 'RTS_BGP')).replace(
            /^[\s\S]*?restricted\n/,
            '',
          ),
        holds: (output) => both.length === 2 && both.every((address) => !output.includes(`${address}/`)),
      });
    },
  },
];

/** Waits for a Service's two addresses and returns them. */
async function assigned(lab: Lab, tour: Tour, service: string): Promise<readonly [string, string]> {
  await tour.check(`${service} has an address of each family`, 'control', `kubectl get service ${service}`, {
    run: () => lab.kubectl('get', 'service', service),
    holds: (output) => /\d+\.\d+\.\d+\.\d+,[0-9a-f]+:/.test(output),
  });
  const [v4 = '', v6 = ''] = await lab.addressesOf(service);
  return [v4, v6];
}

async function answers(lab: Lab, address: string, times: number): Promise<string> {
  let output = '';
  for (let i = 0; i < times; i++) output += await lab.curl(lab.fabric.far, address);
  return output;
}

/** The node whose MAC address the near client has resolved for the address. */
export async function ownerOf(lab: Lab, address: string): Promise<LabNode | undefined> {
  const mac = await lab.neighbourOf(lab.fabric.near, address);
  const name = mac === undefined ? undefined : (await nodesByMac(lab)).get(mac);
  return name === undefined ? undefined : lab.node(name);
}

/** Waits until a node other than `except` answers for the address, and returns this node. */
export function untilOwner(lab: Lab, address: string, except?: LabNode): Promise<LabNode> {
  const title = `${except ? `another node than ${except.name}` : 'a node'} answers for ${address}`;
  return lab.until(title, async () => {
    // The near client resolves the address only when it sends something to this address.
    await lab.fabric.near.exec('bash', '-c', `echo > /dev/udp/${address}/9`);
    const owner = await ownerOf(lab, address);
    return owner !== except && owner;
  });
}

async function nodesByMac(lab: Lab): Promise<Map<string, string>> {
  return new Map(
    await Promise.all(lab.fabric.nodes.map(async (node) => [await lab.macOf(node), node.name] as const)),
  );
}

function host(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}
