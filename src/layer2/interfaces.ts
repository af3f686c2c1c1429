import type { Layer2Wish } from './table.ts';

type Interfaces = Pick<Layer2Wish, 'interfaces' | 'nodeInterfaces'>;

/** The links that the node may answer on, by name; none: those whose subnet holds the address. */
export function interfacesOf({ interfaces, nodeInterfaces }: Interfaces, node: string): readonly string[] {
  return nodeInterfaces?.[node] ?? interfaces;
}

/** What each node may answer on, in the shortest form: one list where all have the same. */
export function perNode(byNode: ReadonlyMap<string, readonly string[]>): Interfaces {
  const lists = new Map([...byNode].map(([node, names]) => [node, [...names].sort()]));
  const [first = []] = lists.values();
  const isOne = [...lists.values()].every((names) => names.join('/') === first.join('/'));
  return isOne ? { interfaces: first } : { interfaces: [], nodeInterfaces: Object.fromEntries(lists) };
}
