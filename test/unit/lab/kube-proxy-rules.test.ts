import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ProxiedService, rulesetOf } from '../../../lab/kube-proxy-rules.ts';

const web: ProxiedService = {
  key: 'default/web',
  ingress: ['198.51.100.0', '2001:db8:100::'],
  clusterIps: ['10.96.0.1'],
  local: false,
  ports: [{ protocol: 'TCP', port: 80, targetPort: 8080 }],
};
const endpoints = [
  { service: 'default/web', address: '10.244.1.2', node: 'node-1', isReady: true },
  { service: 'default/web', address: '10.244.2.3', node: 'node-2', isReady: true },
  { service: 'default/web', address: 'fd00:244:1::2', node: 'node-1', isReady: true },
  { service: 'default/other', address: '10.244.1.9', node: 'node-1', isReady: true },
];

function rules(node: string, service: ProxiedService, among = endpoints): string[] {
  return [
    ...new Set(
      rulesetOf(node, [service], among)
        .split('\n')
        .map((line) => line.trim())
        .filter((line) => / daddr /.test(line)),
    ),
  ];
}

describe('rulesetOf()', () => {
  test("with policy Cluster every node reaches all endpoints and hides the client's address", () => {
    assert.deepEqual(rules('node-3', web), [
      'ip daddr 198.51.100.0 tcp dport 80 meta mark set 0x4000 dnat ip to numgen random mod 2 map { 0 : 10.244.1.2, 1 : 10.244.2.3 } : 8080',
      'ip6 daddr 2001:db8:100:: tcp dport 80 meta mark set 0x4000 dnat ip6 to numgen random mod 1 map { 0 : fd00:244:1::2 } : 8080',
      'ip daddr 10.96.0.1 tcp dport 80 meta mark set 0x4000 dnat ip to numgen random mod 2 map { 0 : 10.244.1.2, 1 : 10.244.2.3 } : 8080',
    ]);
  });

  test("with policy Local a node reaches only its own endpoints and keeps the client's address, except for the cluster IP", () => {
    const local = { ...web, local: true };
    assert.deepEqual(rules('node-2', local), [
      'ip6 daddr 2001:db8:100:: tcp dport 80 drop',
      'ip daddr 198.51.100.0 tcp dport 80 dnat ip to numgen random mod 1 map { 0 : 10.244.2.3 } : 8080',
      'ip daddr 10.96.0.1 tcp dport 80 meta mark set 0x4000 dnat ip to numgen random mod 2 map { 0 : 10.244.1.2, 1 : 10.244.2.3 } : 8080',
    ]);
    assert.ok(rules('node-3', local).includes('ip daddr 198.51.100.0 tcp dport 80 drop'));
  });

  test('endpoints that terminate get traffic only while none of the endpoints that the policy allows is ready', () => {
    const terminating = endpoints.map((each) => ({ ...each, isReady: each.node === 'node-2' }));
    assert.deepEqual(rules('node-1', { ...web, local: true, clusterIps: [] }, terminating), [
      'ip daddr 198.51.100.0 tcp dport 80 dnat ip to numgen random mod 1 map { 0 : 10.244.1.2 } : 8080',
      'ip6 daddr 2001:db8:100:: tcp dport 80 dnat ip6 to numgen random mod 1 map { 0 : fd00:244:1::2 } : 8080',
    ]);
    const [cluster] = rules('node-1', web, terminating);
    assert.match(cluster ?? '', /mod 1 map { 0 : 10\.244\.2\.3 }/);
  });

  test('a port whose target is a name has no rules, and the other ports keep theirs', () => {
    const named = { protocol: 'TCP', port: 443, targetPort: undefined };
    assert.deepEqual(rules('node-1', { ...web, ports: [named, ...web.ports] }), rules('node-1', web));
  });

  test('without Services the ruleset only removes the previous rules', () => {
    const ruleset = rulesetOf('node-1', [], []);
    assert.match(ruleset, /^table inet kube-proxy\ndelete table inet kube-proxy\ntable inet kube-proxy \{/);
    assert.doesNotMatch(ruleset, /daddr/);
  });
});
