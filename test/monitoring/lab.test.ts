/**
 * A real Prometheus scrapes the lab. Faults make the shipped alerts fire, and their repair makes the alerts resolve. Only the time for which an
 * alert must be pending is shorter than in the shipped rules. Every query of the dashboards returns data. `lab-history.test.ts` shows the alerts
 * in `historyAlerts`.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { addresses } from '../../lab/fabric.ts';
import { Lab } from '../../lab/lab.ts';
import { dashboards } from '../../scripts/dashboards/grafana.ts';
import { configureBird, isUp } from '../e2e/bfd-fixtures.ts';
import { FiringAlerts, historyAlerts } from './firing-alerts.ts';
import { Prometheus } from './prometheus.ts';
import { shippedAlerts } from './shipped-alerts.ts';
import { withValues } from './variables.ts';

/** `intervalMs` below 100 ms needs real-time scheduling, which a lab without root does not get. */
function configuration(intervalMs: number, holdTime = '90s'): string {
  return JSON.stringify({
    peers: [
      {
        ...{ name: 'router', 'my-asn': 64512, 'peer-asn': 64500, 'peer-address': addresses.router[0] },
        ...{ 'bfd-profile': 'lab', 'hold-time': holdTime },
      },
    ],
    'bfd-profiles': [
      {
        name: 'lab',
        'receive-interval': intervalMs,
        'transmit-interval': intervalMs,
        'detect-multiplier': 20,
      },
    ],
    'address-pools': [
      { name: 'public', protocol: 'bgp', addresses: ['198.51.100.0/24'] },
      { name: 'office', protocol: 'layer2', addresses: ['192.0.2.240-192.0.2.250'] },
      { name: 'small', protocol: 'bgp', addresses: ['198.18.0.1-198.18.0.6'] },
    ],
  });
}

function service(name: string, pool: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', annotations: { 'bellman.dev/address-pool': pool } },
    spec: { type: 'LoadBalancer', ports: [{ port: 80, targetPort: 8080 }], selector: { app: name } },
  };
}

const small = (...numbers: number[]) => numbers.map((number) => service(`small-${number}`, 'small'));

describe('Prometheus scrapes the lab', { concurrency: false }, () => {
  let lab: Lab;
  let prometheus: Prometheus;
  let alerts: FiringAlerts;

  before(async () => {
    lab = await Lab.start({ nodes: 2 });
    await lab.stop('bird');
    prometheus = await Prometheus.start(lab);
    alerts = new FiringAlerts(lab, prometheus);
  });
  after(() => lab.close());

  const fires = (...names: string[]) => alerts.fires(names);
  const resolves = (...names: string[]) => alerts.resolves(names);
  const sessionsUp = async () => {
    for (const node of lab.fabric.nodes)
      await lab.until(`BFD and BGP of ${node.name}`, () => isUp(lab, node));
  };

  test('a cluster without a configuration', async () => {
    await fires('BellmanConfigMissing', 'BellmanSpeakerNotInSync');
  });

  test('a router without a routing daemon, and a BFD profile with an interval that needs real-time scheduling', async () => {
    await lab.configure(configuration(50));
    await lab.apply(service('web', 'public'), service('printer', 'office'), ...small(1, 2, 3, 4, 5));
    for (const name of ['web', 'printer']) await lab.addPods(name, lab.fabric.nodes);
    await resolves('BellmanConfigMissing', 'BellmanSpeakerNotInSync');
    await fires(
      'BellmanBgpSessionDown',
      'BellmanBfdSessionDown',
      'BellmanBfdNotRealtime',
      'BellmanAddressNotAnnounced',
      'BellmanPoolUsageHigh',
    );
    // The small Services have no endpoint, and layer 2 announces the printer.
    await lab.until('only web is not announced', async () => {
      const firing = 'ALERTS{alertname="BellmanAddressNotAnnounced",alertstate="firing"}';
      const services = (await prometheus.query(firing)).map(({ metric }) => metric.service);
      return services.join() === 'default/web';
    });
  });

  test('the router comes up', async () => {
    await configureBird(lab, 'min rx interval 300 ms; min tx interval 300 ms; multiplier 20;');
    await lab.configure(configuration(300));
    await resolves(
      'BellmanBfdNotRealtime',
      'BellmanBfdSessionDown',
      'BellmanBgpSessionDown',
      'BellmanAddressNotAnnounced',
    );
  });

  test('a pool without free addresses', async () => {
    await lab.apply(...small(6, 7));
    await fires('BellmanPoolExhausted', 'BellmanServicesWaiting');
    await resolves('BellmanPoolUsageHigh');
    await lab.kubectl('delete', 'service', 'small-5', 'small-6', 'small-7');
    await resolves('BellmanPoolExhausted', 'BellmanServicesWaiting');
  });

  test('every query of the dashboards returns data', async () => {
    // The router stops with a NOTIFICATION, which a panel then shows.
    await lab.stop('bird');
    await configureBird(lab, 'min rx interval 300 ms; min tx interval 300 ms; multiplier 20;');
    await sessionsUp();
    const [printer = ''] = await lab.addressesOf('printer');
    await lab.until('printer answers', async () =>
      (await lab.curl(lab.fabric.near, printer)).includes('printer-'),
    );
    const queries = dashboards.flatMap(({ name, rows }) =>
      rows.flatMap(({ panels }) =>
        panels.flatMap((panel) =>
          panel.queries.map(({ expr }) => ({ where: `${name}: ${panel.title}`, expr })),
        ),
      ),
    );
    assert.ok(queries.length > 40);
    for (const { where, expr } of queries)
      await lab.until(
        `data for ${where}`,
        async () => (await prometheus.query(withValues(expr, '1m'))).length > 0,
      );
    for (const variable of dashboards.flatMap(({ variables }) => variables))
      if ('metric' in variable) {
        const samples = await prometheus.query(`count by (${variable.label}) (${variable.metric})`);
        assert.ok(
          samples.length > 0 && samples.every(({ metric }) => metric[variable.label] !== undefined),
          `the variable ${variable.name} has values`,
        );
      }
  });

  test('a node that does not reach the API server, and an edit meanwhile', async () => {
    const heal = await lab.cut(lab.node('node-2'), 'tcp 6443');
    await fires('BellmanApiServerAway');
    await lab.configure(configuration(300, '60s'));
    await fires('BellmanConfigBehind');
    await heal();
    await resolves('BellmanApiServerAway', 'BellmanConfigBehind');
  });

  test('a ConfigMap whose text is rejected', async () => {
    await lab.applyExample('config-broken');
    await fires('BellmanConfigStale');
    await lab.configure(configuration(300));
    await resolves('BellmanConfigStale');
  });

  test('nodes that do not hear each other', async () => {
    const heal = await lab.cut(lab.node('node-2'), 'udp 7946');
    await fires('BellmanMembershipPartitioned', 'BellmanAddressAnnouncedTwice');
    await heal();
    await resolves('BellmanMembershipPartitioned', 'BellmanAddressAnnouncedTwice');
  });

  test('nodes that all want to leave', async () => {
    const names = lab.fabric.nodes.map(({ name }) => name);
    await lab.kubectl('annotate', 'node', ...names, 'bellman.dev/maintenance=test');
    await fires('BellmanNodeLeavingLong', 'BellmanDrainBlocked');
    await lab.kubectl('annotate', 'node', ...names, 'bellman.dev/maintenance-');
    await resolves('BellmanNodeLeavingLong', 'BellmanDrainBlocked');
  });

  test('processes that end', async () => {
    await lab.stop('controller');
    await lab.stop('speaker-node-2');
    await fires('BellmanControllerAbsent', 'BellmanSpeakerMissing');
    lab.startController();
    lab.startSpeaker(lab.node('node-2'));
    await resolves('BellmanControllerAbsent', 'BellmanSpeakerMissing');
  });

  test('every shipped alert has fired and resolved, except those of lab-history.test.ts', () => {
    const names = shippedAlerts().groups.flatMap(({ rules }) => rules.map(({ alert }) => alert));
    const shown = names.filter((name) => !historyAlerts.includes(name)).toSorted();
    assert.deepEqual([...alerts.fired].toSorted(), shown);
    assert.deepEqual([...alerts.resolved].toSorted(), shown);
  });
});
