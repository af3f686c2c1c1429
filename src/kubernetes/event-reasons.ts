/** Reasons of all Kubernetes events that Bellman records, with the object and what the event means. */
export const eventReasons = {
  ConfigAccepted: {
    object: 'ConfigMap',
    type: 'Normal',
    action: 'Judge',
    meaning: 'The text of the ConfigMap is in force.',
  },
  ConfigStale: {
    object: 'ConfigMap',
    type: 'Warning',
    action: 'Judge',
    meaning: 'The text of the ConfigMap was rejected. The message says why, and what stays in force.',
  },
  PasswordMissing: {
    object: 'ConfigMap',
    type: 'Warning',
    action: 'ReadSecret',
    meaning:
      'The `password-secret` of a peer does not exist, or lacks the label or the key. The session waits for the password, or keeps its last one.',
  },
  BfdKeyMissing: {
    object: 'ConfigMap',
    type: 'Warning',
    action: 'ReadSecret',
    meaning:
      'The `key-secret` of a BFD profile does not exist, or lacks the label or the key. BFD of the peer does not run, or keeps its last keys.',
  },
  BfdSessionShared: {
    object: 'ConfigMap',
    type: 'Warning',
    action: 'Configure',
    meaning:
      'Two peers share one BFD session, and their BFD profiles differ. Peers share a session when they have the same address, interface, source address and kind of session (single hop or multihop). The profile that the message names first is in force for both.',
  },
  BGPSessionUp: {
    object: 'Node',
    type: 'Normal',
    action: 'HoldSession',
    meaning: 'The BGP session of the node with a peer is Established again after it went down.',
  },
  BGPSessionDown: {
    object: 'Node',
    type: 'Warning',
    action: 'HoldSession',
    meaning:
      'The BGP session of the node with a peer was Established and went down. The message gives the reason.',
  },
  BfdUp: {
    object: 'Node',
    type: 'Normal',
    action: 'WatchPeer',
    meaning: 'The BFD session of the node with a peer is up.',
  },
  BfdDown: {
    object: 'Node',
    type: 'Warning',
    action: 'WatchPeer',
    meaning:
      'The BFD session of the node with a peer was up and went down. The message gives the diagnostic.',
  },
  NodeLeaving: {
    object: 'Node',
    type: 'Normal',
    action: 'Leave',
    meaning:
      'The node leaves: other nodes take its layer-2 addresses over, and its routes are marked and then withdrawn. The message says why.',
  },
  NodeReturned: {
    object: 'Node',
    type: 'Normal',
    action: 'Return',
    meaning: 'The node does not leave any more, and announces as before.',
  },
  DrainBlocked: {
    object: 'Node',
    type: 'Warning',
    action: 'Leave',
    meaning:
      'The node leaves, but keeps announcing addresses that too few other nodes could announce. The message names some of them.',
  },
  NodeDead: {
    object: 'Node',
    type: 'Warning',
    action: 'MarkPods',
    meaning:
      'The speakers get no answer from the node, and the controller has set its Pods to not ready. Only with `dead-nodes` in the configuration.',
  },
  NodeAlive: {
    object: 'Node',
    type: 'Warning',
    action: 'MarkPods',
    meaning: 'A node whose Pods were set to not ready shows a sign of life. The message names the sign.',
  },
  RightsMissing: {
    object: 'ConfigMap',
    type: 'Warning',
    action: 'CheckRights',
    meaning:
      'The configuration has `dead-nodes`, but the controller lacks rights for it. The message names them.',
  },
  UnknownMembershipKey: {
    object: 'ConfigMap',
    type: 'Warning',
    action: 'ReadKeys',
    meaning:
      'Speakers use different membership keys and do not hear each other, so two nodes may answer for one address. The message names a node whose speaker uses a key that others do not know.',
  },
  IPAllocated: {
    object: 'Service',
    type: 'Normal',
    action: 'Assign',
    meaning: 'The Service has the addresses that the message names.',
  },
  IPReleased: {
    object: 'Service',
    type: 'Normal',
    action: 'Release',
    meaning: 'The Service no longer has an address.',
  },
  AllocationFailed: {
    object: 'Service',
    type: 'Warning',
    action: 'Assign',
    meaning: 'The Service lacks an address that it asks for. The message gives the cause and the remedy.',
  },
  UnknownAnnotation: {
    object: 'Service',
    type: 'Warning',
    action: 'ReadAnnotations',
    meaning:
      'The Service has an annotation that Bellman does not know, under one of Bellman’s prefixes. The name is most likely misspelt.',
  },
  SharedAcrossNamespaces: {
    object: 'Service',
    type: 'Warning',
    action: 'Assign',
    meaning:
      'A Service of another namespace shares the address, though the pool does not set `share-across-namespaces`.',
  },
  NodeAssigned: {
    object: 'Service',
    type: 'Normal',
    action: 'Announce',
    meaning: 'A node has begun to answer for an address in layer 2.',
  },
  ManyAssigned: {
    object: 'Node',
    type: 'Normal',
    action: 'Announce',
    meaning:
      'The node has begun to answer for many addresses in layer 2 at once. The first 100 of them have an event `NodeAssigned`, and this event gives the number of the others.',
  },
  NodeUnassigned: {
    object: 'Service',
    type: 'Normal',
    action: 'Announce',
    meaning: 'No node answers for an address in layer 2 any more. The message says why.',
  },
  AddressConflict: {
    object: 'Service',
    type: 'Warning',
    action: 'Announce',
    meaning:
      'Another host uses the address. The message names the MAC of that host, and says what the node does about it.',
  },
  AddressNotVerified: {
    object: 'Service',
    type: 'Warning',
    action: 'Announce',
    meaning:
      'A node announces an address in layer 2, but the speakers that ask for it get no answer. The message names these speakers, and says whether another node takes the address over.',
  },
} as const satisfies Record<string, EventMeaning>;

export type EventReason = keyof typeof eventReasons;

interface EventMeaning {
  readonly object: 'ConfigMap' | 'Service' | 'Node';
  readonly type: 'Normal' | 'Warning';
  /** The field `action` of the event: what Bellman did or tried to do. */
  readonly action: string;
  readonly meaning: string;
}
