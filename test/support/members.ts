import type { LabNode } from '../../lab/fabric.ts';
import type { Lab } from '../../lab/lab.ts';

/** The states of all other speakers, by node, as the membership of this node sees them. */
export async function membersSeenBy(lab: Lab, { namespace }: LabNode): Promise<ReadonlyMap<string, string>> {
  const { members } = (await lab.status(namespace)) as { members: { node: string; state: string }[] };
  return new Map(members.map(({ node, state }) => [node, state]));
}

/** Waits until every speaker sees all others alive. */
export async function speakersMeet(lab: Lab): Promise<void> {
  const { nodes } = lab.fabric;
  await lab.until('every speaker sees the others alive', async () => {
    const views = await Promise.all(nodes.map((node) => membersSeenBy(lab, node)));
    return views.every(
      (view) => view.size === nodes.length - 1 && [...view.values()].every((state) => state === 'alive'),
    );
  });
}
