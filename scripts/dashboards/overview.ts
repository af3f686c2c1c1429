import { type Dashboard, graph, table, value } from './panel.ts';

const ofEachProcess = '* on (instance) group_left (component) bellman_build_info';

export const overview: Dashboard = {
  name: 'overview',
  title: 'Bellman / Overview',
  variables: [{ name: 'service', text: '.*' }],
  rows: [
    {
      title: 'Now',
      panels: [
        value('Leading controllers', 'short', 'sum(bellman_controller_leader_bool)'),
        value('Text of the ConfigMap is rejected', 'bool_yes_no', 'max(bellman_config_stale)'),
        value('Speakers in sync', 'short', 'sum(bellman_speaker_in_sync)'),
        value('Addresses assigned', 'short', 'count(bellman_allocator_address_assigned) or vector(0)'),
        value(
          'Addresses announced',
          'short',
          'count(count by (service, ip) (bellman_speaker_announced == 1)) or vector(0)',
        ),
        value('Services that wait', 'short', 'sum(bellman_controller_services_waiting) or vector(0)'),
      ],
    },
    {
      title: 'Addresses',
      panels: [
        graph(
          'Part of each pool in use',
          'percentunit',
          'bellman_allocator_addresses_in_use_total / bellman_allocator_addresses_total',
          '{{pool}} {{family}}',
        ),
        graph(
          'Services that wait, by cause',
          'short',
          'sum by (cause) (bellman_controller_services_waiting) or on () vector(0)',
          '{{cause}}',
        ),
        graph(
          'Addresses that each node announces',
          'short',
          'sum by (node, protocol) (bellman_speaker_announced)',
          '{{node}} {{protocol}}',
        ),
        graph(
          'Addresses that nodes do not announce, by cause',
          'short',
          'sum by (cause) (bellman_speaker_refusals)',
          '{{cause}}',
        ),
        table(
          'Announced now (at most 500)',
          'short',
          'topk(500, sum by (service, ip, protocol, node) (bellman_speaker_announced{service=~"$service"}))',
        ),
      ],
    },
    {
      title: 'Controller',
      panels: [
        graph(
          'Time until a Service has its address, 99 %',
          's',
          'histogram_quantile(0.99, sum by (le) (rate(bellman_controller_allocation_seconds_bucket[$__rate_interval])))',
          '99 %',
        ),
        graph(
          'Writes to the API server',
          'ops',
          'sum by (object, result) (rate(bellman_controller_writes_total[$__rate_interval]))',
          '{{object}} {{result}}',
        ),
      ],
    },
    {
      title: 'Processes',
      panels: [
        graph('Generation of the configuration', 'short', 'bellman_config_generation', '{{instance}}'),
        graph(
          'Age of the newest event of the API server',
          's',
          'bellman_kubernetes_newest_event_age_seconds',
          '{{instance}}',
        ),
        graph(
          'CPU',
          'percentunit',
          `rate(process_cpu_seconds_total[$__rate_interval]) ${ofEachProcess}`,
          '{{component}} {{instance}}',
        ),
        graph(
          'Memory',
          'bytes',
          `process_resident_memory_bytes ${ofEachProcess}`,
          '{{component}} {{instance}}',
        ),
        table('Versions', 'short', 'count by (component, version, node_version) (bellman_build_info)'),
      ],
    },
  ],
};
