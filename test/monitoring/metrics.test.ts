/** Names, types and help texts of all metrics, as `promtool check metrics` judges them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { allMetrics } from '../../scripts/reference/metrics.ts';

/** promtool objects to these names. They stay, because MetalLB's dashboards use the same names with another prefix. */
const namesOfMetalLb = [
  'allocator_addresses_in_use_total',
  'allocator_addresses_total',
  'bfd_control_packet_input',
  'bfd_control_packet_output',
  'bfd_echo_packet_input',
  'bfd_echo_packet_output',
  'bfd_session_down_events',
  'bfd_session_up_events',
  'bgp_announced_prefixes_total',
  'bgp_keepalives_received',
  'bgp_keepalives_sent',
  'bgp_notifications_received',
  'bgp_notifications_sent',
  'bgp_opens_received',
  'bgp_opens_sent',
  'bgp_pending_prefixes_total',
  'bgp_route_refresh_received',
  'bgp_route_refresh_sent',
  'bgp_total_received',
  'bgp_total_sent',
  'bgp_updates_total_received',
  'layer2_gratuitous_sent',
  'layer2_requests_received',
  'layer2_responses_sent',
].map((name) => `bellman_${name}`);

/** A scrape in which each metric has one sample. */
function scrape(): string {
  return allMetrics()
    .flatMap(({ name, type, help, labelNames }) => {
      const labels = labelNames.map((label) => `${label}="x"`);
      const series = (suffix: string, more: readonly string[] = []) =>
        `${name}${suffix}{${[...labels, ...more].join()}} 1`;
      const samples =
        type === 'histogram'
          ? [series('_bucket', ['le="+Inf"']), series('_sum'), series('_count')]
          : [series('')];
      return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples, ''];
    })
    .join('\n');
}

test('promtool check metrics complains only about the names that Bellman shares with MetalLB', () => {
  const { stderr, error } = spawnSync('promtool', ['check', 'metrics'], {
    input: scrape(),
    encoding: 'utf8',
  });
  if (error) throw error;
  const complaints = stderr.trim().split('\n');
  assert.deepEqual(
    complaints.filter((line) => !/metrics should (not )?have "_total" suffix$/.test(line)),
    [],
  );
  assert.deepEqual(complaints.map((line) => line.split(' ')[0]).toSorted(), namesOfMetalLb.toSorted());
});
