import { type Dashboard, graph, table, value } from './panel.ts';

const chosen = '{instance=~"$instance"}';

/** A graph of a counter's rate per second, summed over the addresses of each node. */
const perNode = (title: string, metric: string) =>
  graph(title, 'ops', `sum by (instance) (rate(${metric}${chosen}[$__rate_interval]))`, '{{instance}}');

export const layer2: Dashboard = {
  name: 'layer2',
  title: 'Bellman / Layer 2',
  variables: [
    { name: 'instance', metric: 'bellman_layer2_addresses_owned', label: 'instance' },
    { name: 'service', text: '.*' },
  ],
  rows: [
    {
      title: 'Now',
      panels: [
        value('Addresses answered for', 'short', `sum(bellman_layer2_addresses_owned${chosen})`),
        value('Addresses in conflict', 'short', `count(bellman_speaker_in_conflict${chosen}) or vector(0)`),
        value(
          'Largest number of speakers that one speaker does not hear',
          'short',
          `max(bellman_membership_unreachable${chosen})`,
        ),
        table(
          'Owners (at most 500)',
          'short',
          'topk(500, sum by (service, ip, node) (bellman_speaker_announced{protocol="layer2",service=~"$service"}))',
        ),
      ],
    },
    {
      title: 'Answers',
      panels: [
        graph('Addresses of each node', 'short', `bellman_layer2_addresses_owned${chosen}`, '{{instance}}'),
        perNode('Requests', 'bellman_layer2_requests_received'),
        perNode('Answers', 'bellman_layer2_responses_sent'),
        perNode('Announcements', 'bellman_layer2_gratuitous_sent'),
        perNode('Conflicts', 'bellman_layer2_conflicts_total'),
        graph(
          'Requests dropped, by reason',
          'ops',
          `sum by (protocol, reason) (rate(bellman_layer2_requests_dropped_total${chosen}[$__rate_interval]))`,
          '{{protocol}} {{reason}}',
        ),
        graph('Links', 'short', `bellman_layer2_links${chosen}`, '{{instance}}'),
        graph(
          'Captures reopened',
          'short',
          `increase(bellman_layer2_captures_lost_total${chosen}[$__rate_interval])`,
          '{{instance}}',
        ),
      ],
    },
    {
      title: 'Membership',
      panels: [
        graph(
          'Other speakers, by state',
          'short',
          `sum by (instance, state) (bellman_membership_members${chosen})`,
          '{{instance}} {{state}}',
        ),
        graph('Speakers not heard', 'short', `bellman_membership_unreachable${chosen}`, '{{instance}}'),
        graph(
          'Datagrams',
          'ops',
          `sum by (instance, direction) (rate(bellman_membership_datagrams_total${chosen}[$__rate_interval]))`,
          '{{instance}} {{direction}}',
        ),
        graph(
          'Datagrams dropped, by reason',
          'ops',
          `sum by (reason) (rate(bellman_membership_dropped_total${chosen}[$__rate_interval])) or on () vector(0)`,
          '{{reason}}',
        ),
        graph(
          'Takeover of the addresses of a dead node, 99 %',
          's',
          `histogram_quantile(0.99, sum by (le) (rate(bellman_layer2_takeover_seconds_bucket${chosen}[$__rate_interval])))`,
          '99 %',
        ),
      ],
    },
  ],
};
