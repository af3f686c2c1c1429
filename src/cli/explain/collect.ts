import { connect } from '../../kubernetes/client.ts';
import { decodeNode } from '../../kubernetes/decode.ts';
import { paths } from '../../kubernetes/write.ts';
import type { ExplainFacts } from '../../report/explain/facts.ts';
import { readList } from '../../report/read/api-read.ts';
import { collectView, type StatusSource } from '../../report/read/cluster-view.ts';
import { factsOf, readService } from '../../report/read/explain-facts.ts';
import { requestViewerToken } from '../../report/read/viewer-token.ts';
import type { Subject } from '../../report/subject.ts';

/** Collects the facts on which the explanation is based. Rejects when the API server cannot be reached. */
export async function collectFacts(subject: Subject, source: StatusSource): Promise<ExplainFacts> {
  const client = await connect(source.kubeconfig, 'bellman-explain');
  try {
    const [service, rawNodes, viewer] = await Promise.all([
      readService(client, subject),
      readList(client, paths.nodes),
      requestViewerToken(client, source.namespace),
    ]);
    const nodes = rawNodes.map(decodeNode);
    const cluster = await collectView(client, source, {
      ...{ nodes, viewer },
      services: service ? [service] : [],
    });
    return await factsOf(client, { subject, source, viewer, service, nodes, cluster });
  } finally {
    client.close();
  }
}
