import { recallAcceptedConfig } from '../../cluster/accepted-config.ts';
import { isServed } from '../../cluster/service-class.ts';
import { connect } from '../../kubernetes/client.ts';
import { decodeNode, decodeService } from '../../kubernetes/decode.ts';
import { paths } from '../../kubernetes/write.ts';
import { lintCluster } from '../../lint/cluster.ts';
import { readList, readOptionalList } from '../../report/read/api-read.ts';
import { collectView, type StatusSource } from '../../report/read/cluster-view.ts';
import { requestViewerToken } from '../../report/read/viewer-token.ts';
import type { ClusterView } from '../../report/status/view.ts';
import { labelsByName, lintedCluster } from '../lint/facts.ts';
import { clusterWarnings } from './warnings.ts';

/**
 * Reads what the API server and the reachable daemons report. Rejects when the API server cannot be reached, or the user may not read Services, Nodes
 * or ConfigMaps.
 */
export async function collectStatus(source: StatusSource): Promise<ClusterView> {
  const { namespace } = source;
  const client = await connect(source.kubeconfig, 'bellman-status');
  try {
    const [services, nodes, serviceCIDRs, rawNamespaces, viewer] = await Promise.all([
      readList(client, paths.services),
      readList(client, paths.nodes),
      readOptionalList(client, paths.serviceCIDRs),
      readOptionalList(client, paths.namespaces),
      requestViewerToken(client, namespace),
    ]);
    const served = services
      .map(decodeService)
      .filter((service) => isServed(service, source.loadBalancerClass));
    const view = await collectView(client, source, {
      services: served,
      nodes: nodes.map(decodeNode),
      viewer,
    });
    const accepted = recallAcceptedConfig(view.configMap, view.acceptedCopy);
    if (!accepted) return view;
    const namespaces = rawNamespaces && labelsByName(rawNamespaces);
    const linted = lintedCluster({ nodes, services, serviceCIDRs, namespaces }, view.speakers);
    const warnings = lintCluster(accepted.config, linted);
    const isComplete = namespaces !== undefined && serviceCIDRs !== undefined;
    return { ...view, warnings: clusterWarnings(warnings, isComplete ? undefined : view.configMap) };
  } finally {
    client.close();
  }
}
