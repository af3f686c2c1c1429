import { type AcceptedConfig, recallAcceptedConfig } from '../../cluster/accepted-config.ts';
import { connect } from '../../kubernetes/client.ts';
import { decodeEndpointSlice, decodeNode, decodeService } from '../../kubernetes/decode.ts';
import { paths } from '../../kubernetes/write.ts';
import type { LintedCluster } from '../../lint/facts.ts';
import { readList, readOptionalList } from '../../report/read/api-read.ts';
import { collectView, type StatusSource } from '../../report/read/cluster-view.ts';
import { requestViewerToken } from '../../report/read/viewer-token.ts';
import type { EditFacts } from './edit.ts';
import { labelsByName, lintedCluster } from './facts.ts';

/** A cluster before an edit of its configuration. */
export interface EditedCluster {
  readonly linted: LintedCluster;
  readonly facts: EditFacts;
  /** The configuration in force. */
  readonly accepted: AcceptedConfig | undefined;
}

/** Reads the facts to judge an edit. Rejects when the API server cannot be reached, or the user may not read Services, Nodes or ConfigMaps. */
export async function collectEdited(source: StatusSource): Promise<EditedCluster> {
  const client = await connect(source.kubeconfig, 'bellman-validate');
  try {
    const [services, rawNodes, rawNamespaces, rawSlices, serviceCIDRs, viewer] = await Promise.all([
      readList(client, paths.services),
      readList(client, paths.nodes),
      readOptionalList(client, paths.namespaces),
      readOptionalList(client, paths.endpointSlices),
      readOptionalList(client, paths.serviceCIDRs),
      requestViewerToken(client, source.namespace),
    ]);
    const nodes = rawNodes.map(decodeNode);
    const view = await collectView(client, source, { services: [], nodes, viewer });
    const namespaces = rawNamespaces && labelsByName(rawNamespaces);
    return {
      linted: lintedCluster({ nodes: rawNodes, services, serviceCIDRs, namespaces }, view.speakers),
      facts: {
        services: services.map(decodeService),
        slices: rawSlices?.flatMap((raw) => decodeEndpointSlice(raw) ?? []),
        nodes,
        namespaces,
        loadBalancerClass: source.loadBalancerClass,
        nodeRules: new Map(
          view.speakers.flatMap(({ node, status }) =>
            status.ok && status.value.nodeRules ? [[node, status.value.nodeRules] as const] : [],
          ),
        ),
      },
      accepted: recallAcceptedConfig(view.configMap, view.acceptedCopy),
    };
  } finally {
    client.close();
  }
}
