/** The page of annotations and labels. This file does not compile when an annotation that Bellman writes has no row. */
import {
  annotations,
  excludeFromLoadBalancersLabel,
  maintenanceAnnotation,
  peerPasswordLabel,
  requestPrefixes,
  takeoverKey,
} from '../../src/cluster/names.ts';
import { requestNames } from '../../src/controller/allocator/request.ts';
import { type ServiceConditionType, serviceConditionTypes } from '../../src/kubernetes/model.ts';
import { code, page, table } from './markdown.ts';

interface Row {
  readonly object: string;
  readonly writer: string;
  readonly meaning: string;
}

const [addressAssigned, announced]: readonly ServiceConditionType[] = serviceConditionTypes;
const conditionRows: readonly (readonly [ServiceConditionType | undefined, string, string, string])[] = [
  [addressAssigned, 'True', '`Assigned`', 'The Service has the addresses that it asks for.'],
  [
    addressAssigned,
    'False',
    'a [cause](../design/allocation.md#refusals) as one word, such as `PoolExhausted`',
    'The Service lacks an address. The message says why, as the event `AllocationFailed` does.',
  ],
  [addressAssigned, 'False', '`NotDecided`', 'The controller has not decided yet.'],
  [announced, 'True', '`Answered`', 'A node answers for each address in layer 2.'],
  [
    announced,
    'False',
    '`NoNodeAnswers`',
    'No node answers for an address of a layer-2 pool. Not shown when only BGP advertisements select the Service.',
  ],
  [announced, 'False', '`NoAddress`, `ProtocolNone`', 'There is nothing to announce.'],
  [
    announced,
    'Unknown',
    '`AnnouncedByBGP`',
    'An address is announced by BGP. Each node knows only of its own sessions, and no node writes them to a Service.',
  ],
];

const written: Record<keyof typeof annotations, Row> = {
  acceptedConfig: {
    object: 'ConfigMap',
    writer: 'controller',
    meaning: 'The configuration in force. A text of more than 16 KiB is compressed.',
  },
  acceptedHash: { object: 'ConfigMap', writer: 'controller', meaning: 'Hash of the configuration in force.' },
  acceptedAt: {
    object: 'ConfigMap',
    writer: 'controller',
    meaning: 'When the configuration in force was accepted.',
  },
  acceptedGeneration: {
    object: 'ConfigMap',
    writer: 'controller',
    meaning: 'A number that grows with each accepted configuration. The highest one is in force.',
  },
  configStatus: {
    object: 'ConfigMap',
    writer: 'controller',
    meaning:
      '`active`: the text is in force. `stale`: the text was rejected, and the accepted configuration is in force.',
  },
  configError: { object: 'ConfigMap', writer: 'controller', meaning: 'Why the text is not in force.' },
  configWarnings: {
    object: 'ConfigMap',
    writer: 'controller',
    meaning: 'Warnings about the configuration in force, for instance host bits in a prefix.',
  },
  clusterWarnings: {
    object: 'ConfigMap',
    writer: 'controller',
    meaning:
      'Warnings about the configuration in force in this cluster, one in each line, for instance a selector that matches no node. See [warnings](../design/gate.md#warnings).',
  },
  pool: {
    object: 'Service',
    writer: 'controller',
    meaning: 'The pool of the Service’s addresses, or one pool for each address, comma separated.',
  },
  announcing: {
    object: 'Service',
    writer: 'speaker',
    meaning: 'Which node answers in layer 2: `address=node/interface`, comma separated.',
  },
  deadNodes: {
    object: 'Lease `speaker-NODE`',
    writer: 'speaker',
    meaning:
      'The death report of the speaker: the nodes that it finds dead, comma separated. See [dead nodes](../design/dead-nodes.md).',
  },
};

const requests: Record<keyof typeof requestNames, { readonly value: string; readonly meaning: string }> = {
  addresses: {
    value: 'one address, or one of each family, comma separated',
    meaning: 'The addresses that the Service asks for.',
  },
  pool: { value: 'pool names, comma separated', meaning: 'Pools to try, in this order.' },
  sharing: {
    value: 'a sharing key',
    meaning:
      'Services with the same key may share an address. See [sharing](../design/allocation.md#sharing).',
  },
};

export function annotationsPage(): string {
  const keys = Object.keys(requestNames) as (keyof typeof requestNames)[];
  return page(
    'Annotations and labels',
    '## What a Service may ask for',
    `The prefixes ${requestPrefixes.map(code).join(', ')} have the same meaning. Two annotations that contradict each other are an error.`,
    table(
      ['annotation', 'value', 'meaning'],
      keys.map((key) => [
        requestPrefixes.map((prefix) => code(prefix + requestNames[key])).join('<br>'),
        requests[key].value,
        requests[key].meaning,
      ]),
    ),
    '## What a Node may ask for',
    table(
      ['annotation', 'value', 'meaning'],
      [
        [
          code(maintenanceAnnotation),
          'the reason, for people to read',
          'The node leaves until the annotation is removed. `bellman drain` writes it, and `bellman undrain` removes it. See [maintenance](../guides/maintenance.md).',
        ],
      ],
    ),
    '## What admits announcements during a takeover',
    'Only speakers with `--adopt-only` read these keys. See [take over from MetalLB](../guides/takeover.md).',
    table(
      ['key', 'object', 'value', 'meaning'],
      [
        [
          code(takeoverKey),
          'annotation of a Service',
          '`true`',
          'Speakers answer for the layer-2 addresses of the Service.',
        ],
        [
          code(takeoverKey),
          'annotation of the ConfigMap `config`',
          'pool names, comma separated, or `*`',
          'Speakers answer for the layer-2 addresses of these pools, or of all pools.',
        ],
        [
          code(takeoverKey),
          'label of a Node',
          '`true`',
          'The speaker of the node opens its BGP sessions as soon as no other program on the node has a session with its peers.',
        ],
      ],
    ),
    '## What Bellman writes',
    'Do not edit these annotations.',
    table(
      ['annotation', 'object', 'written by', 'meaning'],
      (Object.keys(annotations) as (keyof typeof annotations)[]).map((key) => {
        const { object, writer, meaning } = written[key];
        return [code(annotations[key]), object, writer, meaning];
      }),
    ),
    '## Conditions of a Service',
    'With the flag `--service-conditions` of the controller, the status of each Service of Bellman has two conditions. The controller writes them by\nserver-side apply, as the field manager `bellman-controller`, one Service at a time and only when a condition changes. Each change is one more\nwrite of the Service, which every watch of Services receives. The flag is therefore off by default.',
    table(
      ['condition', 'status', 'reason', 'meaning'],
      conditionRows.map(([type, status, reason, meaning]) => [code(type ?? ''), status, reason, meaning]),
    ),
    'Announced is Unknown with BGP, because no Kubernetes object says which nodes have an Established session. Each node knows only of its own\nsessions, and in BGP all nodes announce at once. If speakers wrote their sessions to Services,\neach restart of a router would cost one write for each Service and node. If the controller read the state of the speakers,\nit would have to ask every node that may announce a Service with `externalTrafficPolicy: Local`, again and again, and its\nanswer would be older than the loss of a session. `bellman explain` asks the speakers once, when an operator runs it. The metric\n`bellman_speaker_announced` shows at all times which nodes announce an address.',
    'After the death of the last speaker, nothing corrects the annotation `bellman.dev/announcing`, and Announced stays True although no node answers.\n`bellman explain` asks the speakers themselves.',
    '## Labels that Bellman reads',
    table(
      ['label', 'object', 'meaning'],
      [
        [
          code(excludeFromLoadBalancersLabel),
          'Node',
          'The node announces nothing, unless `ignore-excluded-nodes` or `--ignore-exclude-label` is set.',
        ],
        [
          code(peerPasswordLabel),
          'Secret',
          'The Secret holds passwords of peers, so speakers read it. See [`password-secret`](configuration.md#password-secret).',
        ],
      ],
    ),
  );
}
