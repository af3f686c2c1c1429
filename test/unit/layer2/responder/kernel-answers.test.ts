import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { parsePrefix } from '../../../../src/address/index.ts';
import { KernelAnswerWarnings } from '../../../../src/layer2/responder/kernel-answer-warnings.ts';
import { findKernelAnswers, type KernelAnswer } from '../../../../src/layer2/responder/kernel-answers.ts';
import { ip } from '../../../support/addresses.ts';

const subnets = ['192.0.2.0/24', '2001:db8::/64'].map((text) => parsePrefix(text) ?? assert.fail());
const link = { index: 2, name: 'eth0', mac: new Uint8Array(6), subnets, epoch: 0 };

for (const [name, address, holder, arpIgnore, expected] of [
  ['kube-proxy in IPVS mode without strict ARP', '192.0.2.50', 'kube-ipvs0', 0, 'kube-ipvs0'],
  ['kube-proxy in IPVS mode with strict ARP', '192.0.2.50', 'kube-ipvs0', 1, undefined],
  ['kube-proxy in IPVS mode with arp_ignore=3', '192.0.2.50', 'kube-ipvs0', 3, 'kube-ipvs0'],
  ['kube-proxy in IPVS mode with arp_ignore=8', '192.0.2.50', 'kube-ipvs0', 8, undefined],
  ['an address on the link itself', '192.0.2.50', 'eth0', 2, 'eth0'],
  ['an address on a link with arp_ignore=8', '192.0.2.50', 'eth0', 8, undefined],
  ['an IPv6 address on another interface', '2001:db8::50', 'kube-ipvs0', 0, undefined],
  ['an IPv6 address on the link itself', '2001:db8::50', 'eth0', 0, 'eth0'],
  ['an address that is not configured on the host', '192.0.2.51', undefined, 0, undefined],
] as const)
  test(`findKernelAnswers() ${expected === undefined ? 'ignores' : 'reports'} ${name}`, () => {
    const local = holder === undefined ? [] : [{ interface: holder, address: ip(address) }];
    const found = findKernelAnswers(
      [{ address: ip(address), interfaces: [] }],
      [link],
      local,
      () => arpIgnore,
    );
    assert.deepEqual(
      found.map(({ configuredOn, answeredOn }) => [configuredOn, answeredOn]),
      expected === undefined ? [] : [[expected, 'eth0']],
    );
  });

test('KernelAnswerWarnings warns once with the remedy, and logs when the kernel stops answering', () => {
  const lines: { level: number; ip: string; reason?: string }[] = [];
  let answers: KernelAnswer[] = [
    { address: ip('192.0.2.50'), configuredOn: 'kube-ipvs0', answeredOn: 'eth0' },
    { address: ip('192.0.2.51'), configuredOn: 'eth0', answeredOn: 'eth0' },
  ];
  const warnings = new KernelAnswerWarnings(
    { kernelAnswers: () => answers },
    pino({}, { write: (text) => void lines.push(JSON.parse(text)) }),
  );
  assert.equal(warnings.check([]), 2);
  warnings.check([]);
  assert.deepEqual(
    lines
      .splice(0)
      .map(({ level, ip: address, reason }) => [level, address, /strictARP|remove/.exec(reason ?? '')?.[0]]),
    [
      [40, '192.0.2.50', 'strictARP'],
      [40, '192.0.2.51', 'remove'],
    ],
  );
  answers = answers.slice(1);
  assert.equal(warnings.check([]), 1);
  assert.deepEqual(
    lines.map(({ level, ip: address }) => [level, address]),
    [[30, '192.0.2.50']],
  );
});
